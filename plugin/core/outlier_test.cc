#include "plugin/core/outlier.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace predial {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class OutlierTest : public testing::Test {
 protected:
  struct Counts {
    uint64_t answered = 0;
    Duration latency = {};
  };
  using Latencies = std::vector<Duration>;  // of members 1, 2, …; 0: no RPC

  // One window: each member answers `rpcs` RPCs in its time. Returns how many weights changed.
  size_t Window(const Latencies& latencies, int rpcs = 100) {
    std::vector<OutlierJudge::Sample> samples;
    for (size_t i = 0; i < latencies.size(); ++i) {
      Counts& counts = counts_[i + 1];
      if (latencies[i] > Duration(0)) {
        counts.answered += rpcs;
        counts.latency += latencies[i] * rpcs;
      }
      samples.push_back({MemberId{i + 1}, counts.answered, counts.latency});
    }
    now_ += OutlierJudge::kWindow;
    return judge_.OnSamples(now_, samples).size();
  }
  void Windows(int count, const Latencies& latencies, int rpcs = 100) {
    for (int i = 0; i < count; ++i) Window(latencies, rpcs);
  }
  std::vector<int> Weights(size_t count) const {
    std::vector<int> weights;
    for (size_t i = 1; i <= count; ++i) weights.push_back(judge_.WeightOf(MemberId{i}));
    return weights;
  }
  using W = std::vector<int>;

  Time now_ = Time(seconds(1000));
  OutlierJudge judge_{{/*factor=*/3}};
  std::map<size_t, Counts> counts_;
  const Duration fast_ = milliseconds(2);
  const Duration slow_ = milliseconds(20);
};

TEST_F(OutlierTest, TheSlowOneGetsLighterStepByStepDownToAQuarter) {
  Window({fast_, fast_, slow_});  // where counting begins
  EXPECT_EQ(Window({fast_, fast_, slow_}), 1u);
  EXPECT_EQ(Weights(3), (W{4, 4, 3}));
  Window({fast_, fast_, slow_});
  EXPECT_EQ(Weights(3), (W{4, 4, 2}));
  Windows(10, {fast_, fast_, slow_});
  EXPECT_EQ(Weights(3), (W{4, 4, 1}));
}

TEST_F(OutlierTest, AndHeavierAgainWhenItIsFast) {
  Windows(10, {fast_, fast_, slow_});
  Windows(2, {fast_, fast_, fast_});
  EXPECT_EQ(Weights(3), (W{4, 4, 3}));
  Window({fast_, fast_, fast_});
  EXPECT_EQ(Weights(3), (W{4, 4, 4}));
}

// Between the two limits, 2 x and 3 x, nothing changes either way.
TEST_F(OutlierTest, BetweenTheLimitsItStaysAsItIs) {
  const Duration between = fast_ * 5 / 2;
  Windows(5, {fast_, fast_, between});
  EXPECT_EQ(Weights(3), (W{4, 4, 4}));
  Windows(3, {fast_, fast_, slow_});
  const W before = Weights(3);
  EXPECT_EQ(before, (W{4, 4, 1}));
  Windows(5, {fast_, fast_, between});
  EXPECT_EQ(Weights(3), before);
}

TEST_F(OutlierTest, OfTwoTheSlowerIsTheOutlier) {
  Windows(10, {fast_, slow_});
  EXPECT_EQ(Weights(2), (W{4, 1}));
}

TEST_F(OutlierTest, OneAloneHasNoPeers) {
  Windows(10, {slow_});
  EXPECT_EQ(Weights(1), (W{4}));
}

TEST_F(OutlierTest, WhatMostAreIsNormal) {
  Windows(10, {fast_, slow_, slow_, slow_});
  EXPECT_EQ(Weights(4), (W{4, 4, 4, 4}));
}

// All of three that differ widely: each is far above the median of the others, but for the first.
TEST_F(OutlierTest, NeverMoreThanHalfAreLightAndTheyAreTheSlowest) {
  Windows(10, {fast_, fast_ * 10, fast_ * 100});
  EXPECT_EQ(Weights(3), (W{4, 4, 1}));
  Windows(10, {fast_, fast_, fast_ * 10, fast_ * 100, fast_ * 1000});
  EXPECT_EQ(Weights(5), (W{4, 4, 4, 1, 1}));
}

// Two of four are light; two others leave: one of two may be.
TEST_F(OutlierTest, WhenPeersLeaveTheLimitHoldsAtOnce) {
  Windows(10, {slow_ * 2, slow_, fast_, fast_});
  EXPECT_EQ(Weights(4), (W{1, 1, 4, 4}));
  Window({slow_ * 2, slow_});
  EXPECT_EQ(Weights(2), (W{1, 4}));
}

TEST_F(OutlierTest, FewSamplesProveNothing) {
  const int few = OutlierJudge::kSamplesMin / 10 - 1;
  Windows(9, {fast_, fast_, slow_}, few);
  EXPECT_EQ(Weights(3), (W{4, 4, 4}));
}

// A light member that has its samples only after some windows is judged then.
TEST_F(OutlierTest, AWindowWithoutEnoughSamplesGoesOn) {
  Windows(10, {fast_, fast_, slow_});
  for (int i = 0; i < 3; ++i) {
    counts_[3].answered += 10;
    counts_[3].latency += fast_ * 10;
    Window({fast_, fast_, Duration(0)});
  }
  EXPECT_EQ(Weights(3), (W{4, 4, 2}));
}

TEST_F(OutlierTest, OneThatIsNotMeasuredAnyMoreIsForgivenStepByStep) {
  Windows(10, {fast_, fast_, slow_});
  EXPECT_EQ(Weights(3), (W{4, 4, 1}));
  const int windows = static_cast<int>(OutlierJudge::kForget / OutlierJudge::kWindow);
  Windows(windows, {fast_, fast_, Duration(0)});
  EXPECT_EQ(Weights(3), (W{4, 4, 2}));
  Windows(windows, {fast_, fast_, Duration(0)});
  EXPECT_EQ(Weights(3), (W{4, 4, 3}));
  Windows(windows, {fast_, fast_, Duration(0)});
  EXPECT_EQ(Weights(3), (W{4, 4, 4}));
}

// 50 us against 500 us is a factor of ten, and the noise of one busy core.
TEST_F(OutlierTest, LessThanAMillisecondIsNoDifference) {
  Windows(10, {microseconds(50), microseconds(50), microseconds(500)});
  EXPECT_EQ(Weights(3), (W{4, 4, 4}));
}

TEST_F(OutlierTest, OneThatCameBackBeginsAnew) {
  Windows(10, {fast_, fast_, slow_});
  Window({fast_, fast_});
  EXPECT_EQ(Weights(3), (W{4, 4, 4}));
  Window({fast_, fast_, slow_});  // what it had counted before is no sample
  EXPECT_EQ(Weights(3), (W{4, 4, 4}));
}

TEST_F(OutlierTest, LooksOncePerWindow) {
  Windows(2, {fast_, fast_, slow_});
  EXPECT_EQ(Weights(3), (W{4, 4, 3}));
  now_ -= OutlierJudge::kWindow / 2;
  EXPECT_EQ(Window({fast_, fast_, slow_}), 0u);
  EXPECT_EQ(Weights(3), (W{4, 4, 3}));
}

TEST(OutlierOffTest, NobodyIsLight) {
  OutlierJudge judge({/*factor=*/0});
  for (int i = 1; i <= 5; ++i) {
    const Time now = Time(seconds(i));
    const uint64_t rpcs = 100 * i;
    EXPECT_TRUE(judge
                    .OnSamples(now, {{MemberId{1}, rpcs, rpcs * milliseconds(1)},
                                     {MemberId{2}, rpcs, rpcs * milliseconds(100)}})
                    .empty());
    EXPECT_EQ(judge.WeightOf(MemberId{2}), OutlierJudge::kFull);
  }
}

}  // namespace
}  // namespace predial
