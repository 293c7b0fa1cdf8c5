#include "plugin/core/sizing.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

namespace predial {
namespace {

using std::chrono::seconds;

constexpr Time kStart = Time() + std::chrono::hours(1);

Sizing Make() {
  SizingPolicy policy;
  policy.min = 2;
  policy.max = 8;
  policy.streams_target = 10;
  policy.idle_timeout = seconds(30);
  return Sizing(policy, kStart);
}

TEST(SizingTest, StartsAtTheMinimum) {
  const Sizing sizing = Make();
  EXPECT_EQ(sizing.wanted(), 2);
  EXPECT_EQ(sizing.Kept(kStart), 2);
  EXPECT_EQ(sizing.NextShrink(kStart), Time::max());
}

TEST(SizingTest, GrowsAtOnceWithinItsBounds) {
  Sizing sizing = Make();
  sizing.OnLoad(kStart, 20, 0);
  EXPECT_EQ(sizing.wanted(), 2);
  sizing.OnLoad(kStart, 21, 0);
  EXPECT_EQ(sizing.wanted(), 3);
  sizing.OnLoad(kStart, 1000000, 0);
  EXPECT_EQ(sizing.wanted(), 8);
  sizing.OnLoad(kStart, 0, 0);
  EXPECT_EQ(sizing.wanted(), 2);
}

TEST(SizingTest, APeersStreamLimitMakesItGrowSooner) {
  Sizing sizing = Make();
  sizing.OnLoad(kStart, 20, 5);  // 4 of 5 streams used per member
  EXPECT_EQ(sizing.wanted(), 5);
  EXPECT_EQ(sizing.StreamsPerMember(1, 2), 1);
  EXPECT_EQ(sizing.StreamsPerMember(100, 2), 10);
  EXPECT_EQ(sizing.StreamsPerMember(0xFFFFFFFF, 2), 10);
}

TEST(SizingTest, AStreamLimitOfOnesOwnMakesItGrowSoonerToo) {
  SizingPolicy policy;
  policy.streams_target = 10;
  policy.streams_max = 5;
  const Sizing sizing(policy, kStart);
  EXPECT_EQ(sizing.StreamsPerMember(0, 2), 4);
  EXPECT_EQ(sizing.StreamsPerMember(100, 2), 4);
  EXPECT_EQ(sizing.StreamsPerMember(2, 2), 1);
  policy.streams_max = 1;
  EXPECT_EQ(Sizing(policy, kStart).StreamsPerMember(0, 2), 1);
}

TEST(SizingTest, WaitingCallersGetAMemberEachForTheIdleTimeout) {
  Sizing sizing(SizingPolicy(), kStart);
  sizing.OnLoad(kStart, 8, 0, 1, 8);
  EXPECT_EQ(sizing.wanted(), 8);
  sizing.OnLoad(kStart + seconds(1), 8, 0, 1, 0);
  EXPECT_EQ(sizing.wanted(), 2);
  EXPECT_EQ(sizing.Kept(kStart + seconds(29)), 8);
  EXPECT_EQ(sizing.Kept(kStart + seconds(30)), 4);
  // A limit may ask for more.
  sizing.OnLoad(kStart + seconds(31), 400, 100, 1, 8);
  EXPECT_EQ(sizing.wanted(), 13);
}

TEST(SizingTest, KeepsIdleMembersBeyondThoseInUse) {
  SizingPolicy policy;
  policy.min = 1;
  policy.max = 8;
  policy.streams_target = 1;
  policy.idle_min = 3;
  policy.idle_timeout = seconds(30);
  Sizing sizing(policy, kStart);
  EXPECT_EQ(sizing.wanted(), 3);
  sizing.OnLoad(kStart, 0, 0);
  EXPECT_EQ(sizing.wanted(), 3);
  sizing.OnLoad(kStart, 2, 0);
  EXPECT_EQ(sizing.wanted(), 5);
  sizing.OnLoad(kStart, 7, 0);
  EXPECT_EQ(sizing.wanted(), 8);
  sizing.OnLoad(kStart + seconds(31), 0, 0);
  EXPECT_EQ(sizing.wanted(), 3);
  EXPECT_EQ(sizing.Kept(kStart + seconds(31)), 4);  // half of them at once at most
  EXPECT_EQ(sizing.Kept(kStart + seconds(32)), 3);
}

TEST(SizingTest, ShrinksEachMemberOnceUnneededForTheIdleTimeout) {
  Sizing sizing = Make();
  sizing.OnLoad(kStart, 50, 0);                // 5
  sizing.OnLoad(kStart + seconds(10), 30, 0);  // 3
  sizing.OnLoad(kStart + seconds(20), 0, 0);   // 2
  EXPECT_EQ(sizing.Kept(kStart + seconds(29)), 5);
  EXPECT_EQ(sizing.NextShrink(kStart + seconds(29)), kStart + seconds(30));
  EXPECT_EQ(sizing.Kept(kStart + seconds(30)), 3);
  EXPECT_EQ(sizing.NextShrink(kStart + seconds(30)), kStart + seconds(40));
  EXPECT_EQ(sizing.Kept(kStart + seconds(40)), 2);
  EXPECT_EQ(sizing.NextShrink(kStart + seconds(40)), Time::max());
}

TEST(SizingTest, LoadThatReturnsKeepsItsMembers) {
  Sizing sizing = Make();
  for (int i = 0; i < 10; ++i) {
    sizing.OnLoad(kStart + seconds(20 * i), 50, 0);
    sizing.OnLoad(kStart + seconds(20 * i + 1), 0, 0);
    EXPECT_EQ(sizing.Kept(kStart + seconds(20 * i + 19)), 5);
  }
}

TEST(SizingTest, ShrinksByHalfAtMostAndStepByStep) {
  SizingPolicy policy;
  policy.max = 100;
  policy.streams_target = 1;
  Sizing sizing(policy, kStart);
  sizing.OnLoad(kStart, 100, 0);
  sizing.OnLoad(kStart, 0, 0);
  std::vector<int> kept;
  Time now = kStart;
  for (int steps = 0; steps < 20 && sizing.NextShrink(now) != Time::max(); ++steps) {
    const Time next = sizing.NextShrink(now);
    ASSERT_GT(next, now);
    EXPECT_EQ(next, now + (kept.empty() ? policy.idle_timeout : Sizing::kStepSpacing));
    now = next;
    sizing.OnLoad(now, 0, 0);
    kept.push_back(sizing.Kept(now));
  }
  EXPECT_EQ(kept, (std::vector<int>{50, 25, 12, 6, 3, 2}));
}

// 8 RPCs in flight each would be 80 % of 10.
TEST(SizingTest, StaysWhereTheRemainingOnesWouldBeAboveTheBand) {
  Sizing sizing = Make();
  sizing.OnLoad(kStart, 50, 0);  // 5
  for (int second = 1; second <= 300; ++second) sizing.OnLoad(kStart + seconds(second), 33, 0);
  EXPECT_EQ(sizing.wanted(), 4);
  EXPECT_EQ(sizing.Kept(kStart + seconds(300)), 5);  // 33 are more than 4 * 8
  sizing.OnLoad(kStart + seconds(301), 32, 0);
  EXPECT_EQ(sizing.Kept(kStart + seconds(309)), 5);
  EXPECT_EQ(sizing.Kept(kStart + seconds(310)), 4);  // a third of the idle timeout later
}

// The band alone wants no member.
TEST(SizingTest, TheBandKeepsAndDoesNotGrow) {
  Sizing sizing = Make();
  sizing.OnLoad(kStart, 39, 0);
  EXPECT_EQ(sizing.Kept(kStart), 4);
  sizing.OnLoad(kStart + seconds(1), 40, 0);
  EXPECT_EQ(sizing.Kept(kStart + seconds(1)), 4);
}

TEST(SizingTest, OneLookInThreeWindowsThatNeedsAMemberKeepsIt) {
  Sizing sizing = Make();
  sizing.OnLoad(kStart, 50, 0);
  for (int second = 1; second < 300; ++second) {
    sizing.OnLoad(kStart + seconds(second), second % 29 == 0 ? 41 : 0, 0);
    ASSERT_EQ(sizing.Kept(kStart + seconds(second)), 5) << second;
  }
}

TEST(SizingTest, NothingGoesWithinTheIdleTimeoutOfAGrowth) {
  Sizing sizing = Make();
  sizing.OnLoad(kStart, 50, 0);
  sizing.OnLoad(kStart + seconds(20), 60, 0);
  sizing.OnLoad(kStart + seconds(20), 0, 0);
  EXPECT_EQ(sizing.NextShrink(kStart + seconds(20)), kStart + seconds(50));
}

// RPCs that share a square wave's period with the idle timeout must not make it breathe.
TEST(SizingTest, ALoadThatComesAndGoesWithinTheIdleTimeoutChangesNothing) {
  Sizing sizing = Make();
  int changes = 0;
  int kept = 2;
  for (int tick = 0; tick < 6000; ++tick) {
    const Time now = kStart + std::chrono::milliseconds(100 * tick);
    sizing.OnLoad(now, tick / 100 % 2 == 0 ? 80 : 5, 0);
    if (sizing.Kept(now) != std::exchange(kept, sizing.Kept(now))) ++changes;
  }
  EXPECT_EQ(kept, 8);
  EXPECT_EQ(changes, 1);
}

// The fewer members the cheaper, as more RPCs share a write.
TEST(SizingTest, AStreamLimitIsFilledBeforeItAsksForAnotherMember) {
  SizingPolicy policy;
  policy.parallel_max = 4;
  Sizing sizing(policy, kStart);
  sizing.OnLoad(kStart, 1000, 100);
  EXPECT_EQ(sizing.wanted(), 11);
  policy.streams_filled = 0.8;
  Sizing roomier(policy, kStart);
  roomier.OnLoad(kStart, 1000, 100);
  EXPECT_EQ(roomier.wanted(), 13);
}

// Where no limit asks for them, members beyond those that run at the same time are none's gain.
TEST(SizingTest, TheTargetAloneAsksForNoMoreThanParallelMax) {
  SizingPolicy policy;
  policy.parallel_max = 4;
  Sizing sizing(policy, kStart);
  sizing.OnLoad(kStart, 96, 0);
  EXPECT_EQ(sizing.wanted(), 3);
  EXPECT_EQ(sizing.StreamsPerMember(0, 3), 32);
  sizing.OnLoad(kStart, 1000, 0);
  EXPECT_EQ(sizing.wanted(), 4);
  EXPECT_EQ(sizing.StreamsPerMember(0, 4), std::numeric_limits<int>::max());
  // A limit does.
  sizing.OnLoad(kStart, 400, 100);
  EXPECT_EQ(sizing.wanted(), 5);
  EXPECT_EQ(sizing.StreamsPerMember(100, 3), 32);
  EXPECT_EQ(sizing.StreamsPerMember(100, 4), 95);
  EXPECT_EQ(sizing.StreamsPerMember(1000, 4), 950);
  EXPECT_EQ(sizing.StreamsPerMember(10, 4), 9);
  EXPECT_EQ(sizing.StreamsPerMember(1, 4), 1);
  // And where it asks for fewer, the target is for parallel_max all the same.
  sizing.OnLoad(kStart, 130, 100);
  EXPECT_EQ(sizing.wanted(), 4);
}

TEST(SizingTest, ParallelMaxIsTheSameForEachEndpoint) {
  SizingPolicy policy;
  policy.parallel_max = 4;
  Sizing sizing(policy, kStart);
  sizing.OnLoad(kStart, 1000, 0, 3);
  EXPECT_EQ(sizing.wanted(), 6);
  sizing.OnLoad(kStart, 1000, 0, 100);
  EXPECT_EQ(sizing.wanted(), policy.max);
  EXPECT_EQ(sizing.StreamsPerMember(0, 4, 3), 32);
  EXPECT_EQ(sizing.StreamsPerMember(0, 6, 3), std::numeric_limits<int>::max());
}

TEST(SizingTest, IdleMembersComeOnTopOfParallelMax) {
  SizingPolicy policy;
  policy.parallel_max = 4;
  policy.idle_min = 2;
  Sizing sizing(policy, kStart);
  sizing.OnLoad(kStart, 1000, 0);
  EXPECT_EQ(sizing.wanted(), 6);
  EXPECT_EQ(sizing.StreamsPerMember(0, 5), 32);
}

}  // namespace
}  // namespace predial
