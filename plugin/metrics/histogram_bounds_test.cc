#include "plugin/metrics/histogram_bounds.h"

#include <cmath>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

using ::testing::HasSubstr;

std::string Fault(const std::vector<double>& seconds) {
  const absl::Status status = HistogramBounds::Validate("buckets", seconds);
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

TEST(HistogramBoundsTest, ABoundBelongsToItsOwnBucket) {
  const HistogramBounds bounds({0.000001, 0.001, 1});
  EXPECT_EQ(bounds.Find(0), 0);
  EXPECT_EQ(bounds.Find(999), 0);
  EXPECT_EQ(bounds.Find(1000), 0);
  EXPECT_EQ(bounds.Find(1001), 1);
  EXPECT_EQ(bounds.Find(1000000), 1);
  EXPECT_EQ(bounds.Find(1000001), 2);
  EXPECT_EQ(bounds.Find(1000000000), 2);
  EXPECT_EQ(bounds.Find(1000000001), 3);
  EXPECT_EQ(bounds.Find(std::numeric_limits<int64_t>::max()), 3);
}

TEST(HistogramBoundsTest, FindsAsALinearSearchDoesForEverySize) {
  for (size_t size = 1; size <= HistogramBounds::kMax; ++size) {
    std::vector<double> seconds;
    for (size_t i = 1; i <= size; ++i) seconds.push_back(10e-9 * static_cast<double>(i));
    const HistogramBounds bounds(seconds);
    ASSERT_EQ(bounds.size(), size);
    for (int64_t ns = 0; ns <= static_cast<int64_t>(10 * size) + 11; ++ns) {
      size_t expected = 0;
      while (expected < size && static_cast<int64_t>(10 * (expected + 1)) < ns) ++expected;
      ASSERT_EQ(bounds.Find(ns), expected) << ns << " ns among " << size;
    }
  }
}

TEST(HistogramBoundsTest, FindsAsALinearSearchDoesAroundEveryPowerOfTwo) {
  const std::vector<std::vector<double>> all = {
      {1e-9}, {1e9}, {1e-9, 1e9}, {2e-9, 4e-9, 1.024e-6}, {0.0001, 0.00025, 0.0005, 0.001, 10}};
  for (const std::vector<double>& seconds : all) {
    const HistogramBounds bounds(seconds);
    for (int bit = 0; bit < 63; ++bit) {
      for (int64_t ns = (int64_t{1} << bit) - 1; ns <= (int64_t{1} << bit) + 1; ++ns) {
        size_t expected = 0;
        while (expected < seconds.size() && std::llround(seconds[expected] * 1e9) < ns) ++expected;
        ASSERT_EQ(bounds.Find(ns), expected) << ns << " ns among " << seconds.size();
      }
    }
  }
}

TEST(HistogramBoundsTest, FaultsNameTheBound) {
  EXPECT_EQ(Fault({0.1, 1}), "");
  EXPECT_THAT(Fault({}), HasSubstr("buckets has 0 bounds: give 1 to 64"));
  std::vector<double> many;
  for (int i = 1; i <= 64; ++i) many.push_back(i);
  EXPECT_EQ(Fault(many), "");
  many.push_back(65);
  EXPECT_THAT(Fault(many), HasSubstr("has 65 bounds"));
  EXPECT_THAT(Fault({0}), HasSubstr("buckets[0] = 0: must be in [1e-9, 1e9]"));
  EXPECT_THAT(Fault({1, -1}), HasSubstr("buckets[1] = -1"));
  EXPECT_THAT(Fault({1, std::nan("")}), HasSubstr("buckets[1] = nan"));
  EXPECT_THAT(Fault({1, std::numeric_limits<double>::infinity()}), HasSubstr("leave +Inf out"));
  EXPECT_THAT(Fault({0.25, 0.1}),
              HasSubstr("buckets[1] = 0.1: must exceed the bound before it, 0.25"));
  EXPECT_THAT(Fault({0.1, 0.1}), HasSubstr("buckets[1] = 0.1"));
  EXPECT_THAT(Fault({1e-9, 1.2e-9}), HasSubstr("by at least a nanosecond"));
}

TEST(HistogramBoundsDeathTest, BadBoundsAbort) {
  EXPECT_DEATH(HistogramBounds({2, 1}), "must exceed the bound before it");
}

}  // namespace
}  // namespace predial
