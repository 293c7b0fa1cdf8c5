#include "plugin/core/backoff.h"

#include <gtest/gtest.h>

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kMiddle = 0.5;  // no jitter

TEST(BackoffTest, GrowsByTheMultiplierUpToTheMaximum) {
  const BackoffPolicy policy;
  EXPECT_EQ(BackoffDelay(policy, 1, kMiddle), seconds(1));
  EXPECT_EQ(BackoffDelay(policy, 2, kMiddle), milliseconds(1600));
  EXPECT_NEAR(BackoffDelay(policy, 3, kMiddle).count(), 2.56e9, 1e3);
  EXPECT_EQ(BackoffDelay(policy, 11, kMiddle), Duration(109951162777));
  EXPECT_EQ(BackoffDelay(policy, 12, kMiddle), seconds(120));
  EXPECT_EQ(BackoffDelay(policy, 1000000, kMiddle), seconds(120));
}

TEST(BackoffTest, JitterSpreadsEvenlyAroundTheDelay) {
  const BackoffPolicy policy;
  EXPECT_EQ(BackoffDelay(policy, 1, 0), milliseconds(800));
  EXPECT_NEAR(BackoffDelay(policy, 1, 0.999999).count(), 1.2e9, 1e4);
}

TEST(BackoffTest, NeverLongerThanTheCeilingUnderDemand) {
  BackoffPolicy policy;
  EXPECT_EQ(BackoffDelayUnderDemand(policy, 1, kMiddle), milliseconds(500));
  EXPECT_EQ(BackoffDelayUnderDemand(policy, 20, kMiddle), milliseconds(500));
  policy.initial = milliseconds(10);
  EXPECT_EQ(BackoffDelayUnderDemand(policy, 1, kMiddle), milliseconds(10));
  policy.max = milliseconds(100);
  EXPECT_EQ(BackoffDelayUnderDemand(policy, 20, kMiddle), milliseconds(100));
}

TEST(BackoffTest, AMultiplierOfOneIsConstant) {
  BackoffPolicy policy;
  policy.multiplier = 1;
  EXPECT_EQ(BackoffDelay(policy, 50, kMiddle), seconds(1));
}

}  // namespace
}  // namespace predial
