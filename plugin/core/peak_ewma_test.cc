#include "plugin/core/peak_ewma.h"

#include <gtest/gtest.h>

#include <cmath>

namespace predial {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kMs = 1e6;
constexpr Time kStart = Time(hours(1000));

class PeakEwmaTest : public testing::Test {
 protected:
  double Value() const { return PeakEwma::Nanos(state_); }

  const PeakEwma ewma_{seconds(10)};
  PeakEwma::Word state_ = PeakEwma::kNoSample;
};

TEST_F(PeakEwmaTest, APeakCountsInFullAtOnce) {
  state_ = ewma_.Observe(state_, kStart, milliseconds(1));
  EXPECT_NEAR(Value(), 1 * kMs, 1);
  state_ = ewma_.Observe(state_, kStart + seconds(1), milliseconds(80));
  EXPECT_NEAR(Value(), 80 * kMs, 10);
}

TEST_F(PeakEwmaTest, WhatIsLessCountsByTheTimeThatPassed) {
  state_ = ewma_.Observe(state_, kStart, milliseconds(101));
  state_ = ewma_.Observe(state_, kStart + seconds(10), milliseconds(1));
  EXPECT_NEAR(Value(), (1 + 100 * std::exp(-1)) * kMs, 0.01 * kMs);
}

// 10,000 samples in 1 s or 10: it is the second that counts.
TEST_F(PeakEwmaTest, TheNumberOfSamplesDoesNotMatter) {
  for (const int samples : {10, 100, 10000}) {
    state_ = ewma_.Observe(PeakEwma::kNoSample, kStart, milliseconds(101));
    for (int i = 1; i <= samples; ++i) {
      state_ = ewma_.Observe(state_, kStart + microseconds(1000000 / samples) * i, milliseconds(1));
    }
    EXPECT_NEAR(Value(), (1 + 100 * std::exp(-0.1)) * kMs, 0.2 * kMs) << samples;
  }
}

TEST_F(PeakEwmaTest, CostGrowsWithWhatIsInFlight) {
  state_ = ewma_.Observe(state_, kStart, milliseconds(4));
  EXPECT_NEAR(ewma_.Cost(state_, kStart, 0), 4 * kMs, 1);
  EXPECT_NEAR(ewma_.Cost(state_, kStart, 1), 8 * kMs, 1);
  EXPECT_NEAR(ewma_.Cost(state_, kStart, 9), 40 * kMs, 10);
}

// Or one that answers nothing would look better the longer it does so.
TEST_F(PeakEwmaTest, CostDecaysOnlyWhileIdle) {
  state_ = ewma_.Observe(state_, kStart, milliseconds(4));
  const Time later = kStart + seconds(20);
  EXPECT_NEAR(ewma_.Cost(state_, later, 0), 4 * kMs * std::exp(-2), 0.001 * kMs);
  EXPECT_NEAR(ewma_.Cost(state_, later, 1), 8 * kMs, 1);
  EXPECT_LT(ewma_.Cost(state_, kStart + hours(1), 0), 1);
}

TEST_F(PeakEwmaTest, OneWithoutASampleIsTriedByOneRpc) {
  EXPECT_EQ(ewma_.Cost(PeakEwma::kNoSample, kStart, 0), 0);
  const auto slow = ewma_.Observe(PeakEwma::kNoSample, kStart, std::chrono::minutes(1));
  EXPECT_GT(ewma_.Cost(PeakEwma::kNoSample, kStart, 1), ewma_.Cost(slow, kStart, 1000));
  EXPECT_GT(ewma_.Cost(PeakEwma::kNoSample, kStart, 2), ewma_.Cost(PeakEwma::kNoSample, kStart, 1));
}

TEST_F(PeakEwmaTest, WithoutAnAnswerOnlyPeaksCount) {
  state_ = ewma_.Observe(state_, kStart, milliseconds(4));
  state_ = ewma_.ObserveAtLeast(state_, kStart + seconds(9), milliseconds(3));
  EXPECT_NEAR(Value(), 4 * kMs, 1);
  state_ = ewma_.ObserveAtLeast(state_, kStart + seconds(9), milliseconds(300));
  EXPECT_NEAR(Value(), 300 * kMs, 100);
}

TEST_F(PeakEwmaTest, TimesInTheWrongOrderChangeLittle) {
  state_ = ewma_.Observe(state_, kStart, milliseconds(100));
  state_ = ewma_.Observe(state_, kStart - milliseconds(5), milliseconds(1));
  EXPECT_NEAR(Value(), 100 * kMs, 10);
  EXPECT_NEAR(ewma_.Cost(state_, kStart - milliseconds(5), 0), 100 * kMs, 10);
}

TEST_F(PeakEwmaTest, AnAnswerInNoTimeIsASample) {
  state_ = ewma_.Observe(PeakEwma::kNoSample, Time(), Duration(0));
  EXPECT_NE(state_, PeakEwma::kNoSample);
}

}  // namespace
}  // namespace predial
