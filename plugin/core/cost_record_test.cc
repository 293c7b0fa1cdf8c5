#include "plugin/core/cost_record.h"

#include <gtest/gtest.h>

namespace predial {
namespace {

constexpr double kMany = 1e6;  // RPCs, of which chance makes nothing

TEST(CostRecordTest, IsTheMeanOfTheLastWindows) {
  CostRecord record(3);
  EXPECT_EQ(record.Mean(), 0);
  for (const double cost : {100.0, 1.0, 2.0, 3.0}) record.Add(cost, {10 * cost, cost, 5});
  EXPECT_EQ(record.count(), 3);
  EXPECT_DOUBLE_EQ(record.Mean(), 2);
  EXPECT_DOUBLE_EQ(record.Scatter(), 0.5);  // a standard deviation of 1
  EXPECT_DOUBLE_EQ(record.MeanLoad().in_flight, 20);
  EXPECT_DOUBLE_EQ(record.MeanLoad().rate, 2);
  EXPECT_DOUBLE_EQ(record.MeanLoad().begun, 15);
  record.Clear();
  EXPECT_EQ(record.count(), 0);
}

TEST(CostRecordTest, ScattersByOnePercentAtLeast) {
  CostRecord record(3);
  record.Add(1, {});
  EXPECT_DOUBLE_EQ(record.Scatter(), 0.01);
  record.Add(1, {});
  EXPECT_DOUBLE_EQ(record.Scatter(), 0.01);
}

TEST(IsUnlikeTest, MoreCallersAreAnotherLoad) {
  EXPECT_TRUE(IsUnlike({100, 1000, kMany}, {130, 1300, kMany}, 0.2));
  EXPECT_TRUE(IsUnlike({130, 1300, kMany}, {100, 1000, kMany}, 0.2));
  EXPECT_FALSE(IsUnlike({100, 1000, kMany}, {110, 1100, kMany}, 0.2));
}

TEST(IsUnlikeTest, OtherTimesAreNot) {
  EXPECT_FALSE(IsUnlike({100, 1000, kMany}, {100, 500, kMany}, 0.2));   // callers wait
  EXPECT_FALSE(IsUnlike({100, 1000, kMany}, {400, 1000, kMany}, 0.2));  // RPCs come all the same
  EXPECT_FALSE(IsUnlike({100, 1000, kMany}, {200, 500, kMany}, 0.2));
}

TEST(IsUnlikeTest, FewRpcsShowLittle) {
  EXPECT_FALSE(IsUnlike({100, 1000, 50}, {150, 1500, 75}, 0.2));
  EXPECT_TRUE(IsUnlike({100, 1000, 5000}, {150, 1500, 7500}, 0.2));
}

TEST(IsUnlikeTest, NoLoadDividesNothing) {
  EXPECT_FALSE(IsUnlike({}, {}, 0.2));
  EXPECT_TRUE(IsUnlike({0, 0, kMany}, {100, 1000, kMany}, 0.2));
}

}  // namespace
}  // namespace predial
