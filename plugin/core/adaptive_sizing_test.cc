#include "plugin/core/adaptive_sizing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kTick = milliseconds(100);

// A sizing with its load: `cost_` tells the time of an RPC, in milliseconds, over the size.
class AdaptiveSizingTest : public testing::Test {
 protected:
  AdaptiveSizing& sizing() {
    if (sizing_ == nullptr) {
      sizing_ = std::make_unique<AdaptiveSizing>(policy_, seed_, now_, demand_);
    }
    return *sizing_;
  }

  // A tick with `callers_` RPCs in flight all the time.
  void Tick() {
    now_ += kTick;
    const double cost = cost_(ready_);
    AdaptiveSizing::Sample sample;
    sample.in_flight = callers_;
    sample.rpcs = sample.answered = static_cast<uint64_t>(std::lround(100 * callers_ / cost));
    sample.latency = milliseconds(1) * sample.answered * std::lround(1000 * cost) / 1000;
    sample.ready = ready_;
    sample.wanted = sample.kept = demand_;
    sample.floor = floor_;
    sizing().OnSample(now_, sample);
    ready_ = sizing().size();
    if (sizes_.empty() || sizes_.back() != ready_) sizes_.push_back(ready_);
  }
  void Run(Duration span) {
    for (const Time end = now_ + span; now_ < end;) Tick();
  }
  // Runs until the size is `size`; false if it is not within a minute.
  bool Reaches(int size) {
    for (const Time end = now_ + std::chrono::minutes(1); now_ < end;) {
      Tick();
      if (sizing().size() == size) return true;
    }
    return false;
  }

  AdaptivePolicy policy_;
  uint64_t seed_ = 1;
  Time now_ = Time() + std::chrono::hours(1);
  int demand_ = 4;
  int floor_ = 2;
  int64_t callers_ = 100;
  int ready_ = 4;
  std::function<double(int)> cost_ = [](int) { return 10.0; };
  std::vector<int> sizes_;

 private:
  std::unique_ptr<AdaptiveSizing> sizing_;
};

TEST_F(AdaptiveSizingTest, FollowsTheDemandUntilItHasMeasured) {
  callers_ = 1;
  cost_ = [](int) { return 100.0; };  // 10 in a second: too few
  for (const int demand : {4, 7, 2, 16}) {
    demand_ = demand;
    Run(seconds(10));
    EXPECT_TRUE(sizing().follows());
    EXPECT_EQ(sizing().size(), demand);
    EXPECT_EQ(sizing().NextChange(), Time::max());
  }
}

TEST_F(AdaptiveSizingTest, GoesUpWhereMoreMembersServeBetter) {
  cost_ = [](int size) { return 1 + 100.0 / size; };
  EXPECT_TRUE(Reaches(16));
  Run(std::chrono::minutes(10));
  const std::vector<int> first(sizes_.begin(), sizes_.begin() + 3);
  EXPECT_EQ(first, (std::vector<int>{4, 8, 16}));
  EXPECT_EQ(sizing().size(), 16);
}

TEST_F(AdaptiveSizingTest, GoesDownWhereFewerServeBetter) {
  demand_ = ready_ = 16;
  cost_ = [](int size) { return 5.0 + size; };
  EXPECT_TRUE(Reaches(2));
  Run(std::chrono::minutes(10));
  EXPECT_EQ(sizing().size(), 2);
}

TEST_F(AdaptiveSizingTest, FindsTheSizeBetween) {
  cost_ = [](int size) { return 5 + 60.0 / size + 0.9 * size; };  // least at 8
  Run(seconds(60));
  EXPECT_NEAR(sizing().size(), 8, 1);
}

TEST_F(AdaptiveSizingTest, StaysWhereNothingIsGained) {
  Run(std::chrono::minutes(10));
  EXPECT_EQ(sizing().size(), demand_);
  cost_ = [](int size) { return 10 - 0.01 * size; };  // 0.1 %
  Run(std::chrono::minutes(10));
  EXPECT_EQ(sizing().size(), demand_);
}

TEST_F(AdaptiveSizingTest, NeverLeavesItsBounds) {
  policy_.min = 3;
  policy_.max = 9;
  floor_ = 3;
  for (const double slope : {-1.0, 1.0}) {
    cost_ = [slope](int size) { return 20 + slope * size; };
    Run(std::chrono::minutes(5));
  }
  EXPECT_EQ(*std::min_element(sizes_.begin(), sizes_.end()), 3);
  EXPECT_EQ(*std::max_element(sizes_.begin(), sizes_.end()), 9);
}

TEST_F(AdaptiveSizingTest, NeverProbesBelowTheFloor) {
  demand_ = ready_ = 16;
  floor_ = 11;
  cost_ = [](int size) { return 5.0 + size; };
  Run(std::chrono::minutes(5));
  EXPECT_EQ(sizing().size(), 11);
  EXPECT_EQ(*std::min_element(sizes_.begin(), sizes_.end()), 11);
  floor_ = 14;
  Tick();
  EXPECT_EQ(sizing().size(), 14);  // at once
}

TEST_F(AdaptiveSizingTest, RestsLongerAndLonger) {
  std::vector<Time> probes;
  for (int tick = 0; tick < 36000; ++tick) {
    const int before = sizing().size();
    Tick();
    if (sizing().size() != before && before == demand_) probes.push_back(now_);
  }
  // An hour: the first climb, and a round of up to four a minute.
  EXPECT_GT(probes.size(), 60u);
  EXPECT_LT(probes.size(), 60u * 4 * 4 / 3 + 20);
}

TEST_F(AdaptiveSizingTest, ProbesHaveABudget) {
  // Whatever it does, the load is another one every 3 s.
  int probes = 0;
  for (int tick = 0; tick < 6000; ++tick) {
    callers_ = tick / 30 % 2 == 0 ? 100 : 190;
    const int before = sizing().size();
    Tick();
    if (before == demand_ && sizing().size() != demand_) ++probes;
  }
  EXPECT_GT(probes, 0);
  EXPECT_LE(probes, AdaptiveSizing::kProbesMax + 600 / 5);
}

TEST_F(AdaptiveSizingTest, AnotherLoadBeginsAtTheDemandsSize) {
  cost_ = [](int size) { return 1 + 100.0 / size; };
  ASSERT_TRUE(Reaches(16));
  Run(seconds(10));
  callers_ = 50;
  Run(seconds(1));
  EXPECT_EQ(sizing().size(), demand_);
  Run(seconds(10));
  EXPECT_EQ(sizing().size(), 16);  // which it remembers, and tries first
}

TEST_F(AdaptiveSizingTest, ASurgeGetsTheDemandsSizeAtOnce) {
  demand_ = ready_ = 8;
  cost_ = [](int size) { return 5.0 + size; };
  ASSERT_TRUE(Reaches(2));
  Run(seconds(5));
  ASSERT_EQ(sizing().size(), 2);
  callers_ = 1000;
  demand_ = 16;
  Tick();
  EXPECT_EQ(sizing().size(), 16);
}

TEST_F(AdaptiveSizingTest, FallsBackWhenRpcsTakeLongerThanAtTheDemandsSize) {
  cost_ = [](int size) { return 1 + 100.0 / size; };
  ASSERT_TRUE(Reaches(16));
  Run(seconds(12));
  ASSERT_EQ(sizing().size(), 16);
  cost_ = [](int size) { return size > 8 ? 60.0 : 26.0; };
  Run(seconds(2));
  EXPECT_EQ(sizing().size(), demand_);
  const Time fell = now_;
  while (sizing().size() == demand_ && now_ < fell + std::chrono::minutes(2)) Tick();
  // Not before kRetry, a quarter of it less by chance.
  EXPECT_GE(now_ - fell, AdaptiveSizing::kRetry * 3 / 4 - seconds(2));
  Run(std::chrono::minutes(5));
  EXPECT_EQ(sizing().size(), demand_);
}

TEST_F(AdaptiveSizingTest, AProbeThatMembersCannotReachIsGivenUp) {
  cost_ = [](int size) { return 1 + 100.0 / size; };
  while (sizing().size() == demand_) Tick();
  ASSERT_EQ(sizing().size(), 8);
  // The members do not come.
  for (int tick = 0; tick < 160; ++tick) {
    ready_ = 5;
    Tick();
  }
  EXPECT_EQ(sizing().size(), demand_);
}

TEST_F(AdaptiveSizingTest, WithoutRpcsTheDemandHasItAgainAfterTheIdleTimeout) {
  cost_ = [](int size) { return 1 + 100.0 / size; };
  ASSERT_TRUE(Reaches(16));
  Run(seconds(12));
  ASSERT_EQ(sizing().size(), 16);
  const Time due = sizing().NextChange();
  EXPECT_GT(due, now_ + policy_.idle_timeout - seconds(1));
  AdaptiveSizing::Sample none;
  none.ready = 16;
  none.wanted = none.kept = none.floor = 2;
  sizing().OnSample(due - Duration(1), none);
  EXPECT_EQ(sizing().size(), 16);
  sizing().OnSample(due, none);
  EXPECT_TRUE(sizing().follows());
  EXPECT_EQ(sizing().size(), 2);
}

TEST_F(AdaptiveSizingTest, SaysWhy) {
  cost_ = [](int size) { return 1 + 100.0 / size; };
  EXPECT_EQ(sizing().reason(), "follows the demand: nothing is measured yet");
  while (sizing().size() == demand_) Tick();
  EXPECT_EQ(sizing().reason(), "a probe: is it better than 4?");
  Run(seconds(60));
  EXPECT_EQ(sizing().reason(), "RPCs take the least time with 16, as far as was tried");
}

TEST_F(AdaptiveSizingTest, TheSameSeedGivesTheSameSizes) {
  std::vector<std::vector<int>> lives;
  for (const uint64_t seed : {7, 7, 8}) {
    AdaptiveSizing sizing(policy_, seed, now_, 4);
    std::vector<int> sizes;
    Time now = now_;
    for (int tick = 0; tick < 6000; ++tick) {
      now += kTick;
      AdaptiveSizing::Sample sample;
      sample.in_flight = 100;
      sample.rpcs = sample.answered = 100;
      sample.latency = milliseconds(10) * 100;
      sample.ready = sizing.size();
      sample.wanted = sample.kept = 4;
      sample.floor = 2;
      sizing.OnSample(now, sample);
      sizes.push_back(sizing.size());
    }
    lives.push_back(std::move(sizes));
  }
  EXPECT_EQ(lives[0], lives[1]);
  EXPECT_NE(lives[0], lives[2]);
}

}  // namespace
}  // namespace predial
