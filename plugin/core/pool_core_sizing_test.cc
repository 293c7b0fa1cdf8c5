// How the pool follows its load: fast up, slowly down, and with what is said of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <vector>

#include "plugin/core/member.h"
#include "plugin/core/pool_core.h"
#include "plugin/core/pool_core_test_util.h"
#include "plugin/core/sizing.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

class PoolCoreSizingTest : public CoreTest {
 protected:
  // Connects what is ordered: as if a dial took `dial_`.
  void Advance(Duration span, const std::function<LoadSample()>& load) {
    for (const Time end = now_ + span; now_ < end;) {
      now_ += milliseconds(10);
      std::vector<MemberId> due;
      for (const auto& [id, member] : core().members()) {
        if (member.state() == MemberState::kConnecting && now_ - member.connecting_since >= dial_) {
          due.push_back(id);
        }
      }
      for (const MemberId id : due) core().OnReady(now_, id, limit_, assumed_);
      std::vector<MemberId> drained;
      for (const auto& [id, member] : core().members()) {
        if (member.state() == MemberState::kDraining) drained.push_back(id);
      }
      for (const MemberId id : drained) core().OnDrained(now_, id);
      if (core().NextTick(now_) <= now_) core().OnTick(now_, load());
    }
  }
  int ready() {
    return static_cast<int>(std::count_if(
        core().members().begin(), core().members().end(),
        [](const auto& entry) { return entry.second.state() == MemberState::kReady; }));
  }

  Duration dial_ = milliseconds(20);
  uint32_t limit_ = 100;
  uint32_t assumed_ = 0;
};

// A limit that nobody can see is assumed for the size alone.
TEST_F(PoolCoreSizingTest, AnAssumedLimitSizesAsAKnownOneDoes) {
  policy_.sizing = SizingPolicy();
  policy_.sizing.parallel_max = 4;
  limit_ = 0;
  assumed_ = 100;
  Resolved({"a"});
  Advance(milliseconds(100), [] { return LoadSample(); });
  LoadSample load;
  load.anchor_in_flight = 1000;
  core().OnTick(now_, load);
  Advance(milliseconds(300), [&] { return load; });
  EXPECT_EQ(ready(), 11);
  for (const auto& [id, member] : core().members()) EXPECT_EQ(member.stream_limit, 0u);
}

// 1000 RPCs of 50 ms that come at once, on a machine with processors enough for all 16.
TEST_F(PoolCoreSizingTest, AThousandRpcsAtOnceHaveTheirMembersAfterTwoRoundsOfDials) {
  policy_.sizing = SizingPolicy();
  Resolved({"a"});
  Advance(milliseconds(100), [] { return LoadSample(); });
  ASSERT_EQ(ready(), 2);
  LoadSample burst;
  for (const auto& [id, member] : core().members()) burst.members.push_back({id, 500, 500});
  Tick(burst);  // the data plane asks for attention
  Advance(milliseconds(60), [&] { return burst; });
  EXPECT_EQ(ready(), 16);
}

TEST_F(PoolCoreSizingTest, WhatWaitsAndWhatFindsNoMemberCounts) {
  StartWithTwoReady();
  LoadSample load;
  load.members = {{M(2), 10, 10}, {M(3), 10, 10}};
  load.waiting = 1;
  EXPECT_THAT(Tick(load), ElementsAre("Connect{4, 1}"));
  load.anchor_in_flight = 10;
  EXPECT_EQ(core().wanted(), 3);
  Tick(load);
  EXPECT_EQ(core().wanted(), 4);
}

TEST_F(PoolCoreSizingTest, EachChangeIsInTheLogWithItsReason) {
  StartWithTwoReady();
  EXPECT_EQ(core().size_reason(), "the minimum, to begin with");
  for (int i = 0; i < 5; ++i) Load(2, 31 + i % 2);
  Ready(4);
  Ready(5);
  Load(2, 0);
  Wait(seconds(40));
  EXPECT_THAT(Log(), ElementsAre("grow 0: 2 to 4: 31 RPCs in flight; 10 to a connection",
                                 "shrink 0: 4 to 2: 0 RPCs in flight; 10 to a connection: for the "
                                 "idle timeout no more were needed",
                                 "drain 2: idle", "drain 3: idle"));
  EXPECT_EQ(core().size_reason(),
            "0 RPCs in flight; 10 to a connection: for the idle timeout no more were needed");
}

TEST_F(PoolCoreSizingTest, GivesUpHalfOfItsMembersAtATime) {
  policy_.sizing = SizingPolicy();
  Resolved({"a"});
  Advance(milliseconds(100), [] { return LoadSample(); });
  LoadSample burst;
  for (const auto& [id, member] : core().members()) burst.members.push_back({id, 500, 500});
  Tick(burst);
  Advance(milliseconds(100), [&] { return burst; });
  ASSERT_EQ(ready(), 16);
  int least = 16;
  for (int i = 0; i < 600; ++i) {
    const int before = ready();
    Advance(milliseconds(100), [] { return LoadSample(); });
    EXPECT_GE(ready(), before / 2);
    least = std::min(least, ready());
  }
  EXPECT_EQ(least, 2);
}

// RPCs take 40 ms by their members: the more, the faster.
TEST_F(PoolCoreSizingTest, AdaptiveSizingGrowsAsFarAsItHelps) {
  policy_.sizing = SizingPolicy();
  policy_.sizing.kind = SizingKind::kAdaptive;
  policy_.sizing.max = 8;
  limit_ = 0;
  Resolved({"a"});
  Advance(milliseconds(100), [] { return LoadSample(); });
  std::map<MemberId, LoadSample::Of> counts;
  const auto load = [&] {
    LoadSample sample;
    const int members = ready();
    for (const auto& [id, member] : core().members()) {
      if (member.state() != MemberState::kReady) continue;
      LoadSample::Of& count = counts.emplace(id, LoadSample::Of{id, 0, 0}).first->second;
      count.in_flight = 40 / members;
      count.rpcs += 100;
      count.answered += 100;
      count.latency += milliseconds(4000) / members;
      sample.members.push_back(count);
    }
    return sample;
  };
  Tick(load());
  Advance(seconds(40), load);
  EXPECT_EQ(core().wanted(), 8);
  EXPECT_EQ(ready(), 8);
  const Lines log = Log();
  EXPECT_THAT(log, testing::Contains("grow 0: 2 to 4: a probe: is it better than 2?"));
  // Without RPCs it ends, after the idle timeout.
  Advance(seconds(35), [] { return LoadSample(); });
  EXPECT_EQ(ready(), 2);
  EXPECT_EQ(core().NextTick(now_), Time::max());
}

using PoolCoreSpilloverTest = CoreTest;

// Channels that there may be, and whether those that there are take more streams.
MATCHER_P2(IsPlan, channels, keep, "") { return arg.channels == channels && arg.keep == keep; }

TEST_F(PoolCoreSpilloverTest, LastsAsLongAsMembersAreOnTheirWay) {
  EXPECT_THAT(core().spillover(), IsPlan(4, true));
  Resolved({"a"});
  EXPECT_THAT(core().spillover(), IsPlan(4, true));
  Ready(2);
  EXPECT_THAT(core().spillover(), IsPlan(3, true));
  Ready(3);
  EXPECT_THAT(core().spillover(), IsPlan(2, false));
  Load(2, 25);
  EXPECT_THAT(core().spillover(), IsPlan(2, true));
  Ready(4);
  EXPECT_THAT(core().spillover(), IsPlan(1, false));
  // What is replaced takes none any more, and its place may be another's.
  GoingAway(4);
  EXPECT_THAT(core().spillover(), IsPlan(2, true));
}

TEST_F(PoolCoreSpilloverTest, NotAtTheMaximum) {
  policy_.sizing.min = 4;
  Resolved({"a"});
  for (const uint64_t id : {2, 3, 4, 5}) Ready(id);
  EXPECT_THAT(core().spillover(), IsPlan(0, false));
}

TEST_F(PoolCoreSpilloverTest, NotWhereNothingCanBeDialed) {
  StartWithTwoReady();
  PeerClosed(2);
  EXPECT_THAT(core().spillover(), IsPlan(3, true));
  Failed(4);
  EXPECT_THAT(core().spillover(), IsPlan(0, false));
  Wait(seconds(1));
  Ready(5);
  EXPECT_THAT(core().spillover(), IsPlan(2, false));
  // One of two will do.
  Resolved({"a", "b"});
  PeerClosed(3);
  Failed(7);
  EXPECT_THAT(core().spillover(), IsPlan(3, true));
}

TEST_F(PoolCoreSpilloverTest, NotWhereThisProcessCanDialNothing) {
  StartWithTwoReady();
  PeerClosed(2);
  Failed(4, DialResult::kLocalLimit);
  EXPECT_THAT(core().spillover(), IsPlan(0, false));
}

TEST_F(PoolCoreSpilloverTest, NotWhileItIsSuspendedNorAfterItsEnd) {
  StartWithTwoReady();
  core().OnSuspended(now_);
  EXPECT_THAT(core().spillover(), IsPlan(0, false));
  core().OnResumed(now_);
  EXPECT_THAT(core().spillover(), IsPlan(4, true));
  core().OnShutdown(now_);
  EXPECT_THAT(core().spillover(), IsPlan(0, false));
}

TEST_F(PoolCoreSpilloverTest, NotWhereItIsRuledOut) {
  policy_.spills = false;
  Resolved({"a"});
  EXPECT_THAT(core().spillover(), IsPlan(0, false));
}

}  // namespace
}  // namespace predial
