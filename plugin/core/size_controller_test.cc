#include "plugin/core/size_controller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "plugin/core/sizing.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Time kStart = Time() + std::chrono::hours(1);

SizeController::Load InFlight(int64_t in_flight) {
  SizeController::Load load;
  load.in_flight = in_flight;
  return load;
}

TEST(SizeControllerTest, TellsEachChangeOnceWithItsReason) {
  SizeController controller(SizingPolicy(), 1, kStart);
  EXPECT_EQ(controller.size(), 2);
  EXPECT_FALSE(controller.OnLoad(kStart, InFlight(64)));
  SizeController::Load load = InFlight(90);
  load.anchor = 4;
  load.waiting = 6;
  const auto grown = controller.OnLoad(kStart, load);
  ASSERT_TRUE(grown);
  EXPECT_EQ(grown->from, 2);
  EXPECT_EQ(grown->to, 4);
  EXPECT_EQ(grown->reason,
            "90 RPCs in flight, 6 that wait for a place, 4 that found no connection; 32 to a "
            "connection");
  EXPECT_EQ(controller.reason(), grown->reason);
  EXPECT_FALSE(controller.OnLoad(kStart + seconds(1), InFlight(3)));
  EXPECT_EQ(controller.wanted(), 2);
  EXPECT_EQ(controller.Kept(kStart + seconds(1)), 4);
  EXPECT_EQ(controller.NextShrink(kStart + seconds(1)), kStart + seconds(30));
  const auto shrunk = controller.OnLoad(kStart + seconds(30), InFlight(3));
  ASSERT_TRUE(shrunk);
  EXPECT_EQ(shrunk->to, 2);
  EXPECT_EQ(shrunk->reason,
            "3 RPCs in flight; 32 to a connection: for the idle timeout no more were needed");
}

// `rpcs` since the sample before.
SizeController::Load Blocking(int64_t callers, uint64_t rpcs) {
  SizeController::Load load = InFlight(callers);
  load.blocking = callers;
  load.rpcs = rpcs;
  return load;
}

SizingPolicy EightCallers() {
  SizingPolicy policy;
  policy.callers_max = 8;
  return policy;
}

TEST(SizeControllerTest, BusyCallersThatWaitGetAMemberEach) {
  SizeController controller(EightCallers(), 1, kStart);
  const auto grown = controller.OnLoad(kStart + seconds(1), Blocking(6, 20'000));
  ASSERT_TRUE(grown);
  EXPECT_EQ(grown->to, 6);
  EXPECT_EQ(grown->reason,
            "6 RPCs in flight; 32 to a connection, or one for each of 6 threads that wait");
  EXPECT_EQ(controller.callers(), 6);
}

TEST(SizeControllerTest, NoMoreCallersCountThanTheirMaximum) {
  SizeController controller(EightCallers(), 1, kStart);
  const auto grown = controller.OnLoad(kStart + seconds(1), Blocking(60, 90'000));
  ASSERT_TRUE(grown);
  EXPECT_EQ(grown->to, 8);
  EXPECT_EQ(grown->reason,
            "60 RPCs in flight; 32 to a connection, or one for each of 8 threads that wait");
  SizeController none(SizingPolicy(), 1, kStart);
  EXPECT_FALSE(none.OnLoad(kStart + seconds(1), Blocking(60, 90'000)));
  EXPECT_EQ(none.callers(), 0);
}

// However many they are: they seldom meet.
TEST(SizeControllerTest, SlowCallersCountAsFarAsTheirRpcsComeFast) {
  SizeController controller(EightCallers(), 1, kStart);
  EXPECT_FALSE(controller.OnLoad(kStart + seconds(2), Blocking(8, 2000)));
  EXPECT_EQ(controller.callers(), 1);
  const auto grown = controller.OnLoad(kStart + seconds(3), Blocking(8, 3001));
  ASSERT_TRUE(grown);
  EXPECT_EQ(grown->to, 4);
}

TEST(SizeControllerTest, CallersOfSeveralServersDoNotCount) {
  SizeController controller(EightCallers(), 1, kStart);
  SizeController::Load load = Blocking(8, 20'000);
  load.resolved = 2;
  EXPECT_FALSE(controller.OnLoad(kStart + seconds(1), load));
  EXPECT_EQ(controller.callers(), 0);
}

TEST(SizeControllerTest, ARateTakesAWhileToTell) {
  SizeController controller(EightCallers(), 1, kStart);
  EXPECT_FALSE(controller.OnLoad(kStart, Blocking(8, 30)));
  EXPECT_FALSE(controller.OnLoad(kStart + milliseconds(4), Blocking(8, 30)));
  EXPECT_EQ(controller.callers(), 0);
  EXPECT_TRUE(controller.OnLoad(kStart + milliseconds(10), Blocking(8, 20)));
  EXPECT_EQ(controller.callers(), 8);
}

// A closed load whose RPCs take the less time the more members there are.
SizeController::Load Measured(int ready, uint32_t limit = 0) {
  SizeController::Load load = InFlight(60);
  load.rpcs = load.answered = static_cast<uint64_t>(200 * ready);
  load.latency = milliseconds(6000);  // 30 / ready each
  load.ready = ready;
  load.stream_limit = limit;
  return load;
}

TEST(SizeControllerTest, OnlyAdaptiveSizingMeasures) {
  for (const SizingKind kind : {SizingKind::kDemand, SizingKind::kAdaptive}) {
    SizingPolicy policy;
    policy.kind = kind;
    SizeController controller(policy, 1, kStart);
    Time now = kStart;
    int size = 2;
    for (int tick = 0; tick < 300; ++tick) {
      now += milliseconds(100);
      controller.OnLoad(now, Measured(size));
      size = controller.Kept(now);
    }
    EXPECT_EQ(size, kind == SizingKind::kAdaptive ? 16 : 2);
    EXPECT_EQ(controller.wanted(), size);
  }
}

TEST(SizeControllerTest, AStreamLimitIsTheFloorOfWhatIsTried) {
  SizingPolicy policy;
  policy.kind = SizingKind::kAdaptive;
  SizeController controller(policy, 1, kStart);
  Time now = kStart;
  int size = 2;
  int least = policy.max;
  for (int tick = 0; tick < 3000; ++tick) {
    now += milliseconds(100);
    SizeController::Load load = Measured(size, 10);
    // The fewer the better.
    load.rpcs = load.answered = static_cast<uint64_t>(3200 / size);
    controller.OnLoad(now, load);
    size = controller.Kept(now);
    // The mean goes over a second.
    if (now - kStart > std::chrono::seconds(5)) least = std::min(least, size);
  }
  EXPECT_EQ(least, 8);  // 60 in flight, 80 % of 10 each
  EXPECT_EQ(size, 8);
}

TEST(SizeControllerTest, AtRestAdaptiveSizingGivesItsMembersUpLater) {
  SizingPolicy policy;
  policy.kind = SizingKind::kAdaptive;
  SizeController controller(policy, 1, kStart);
  Time now = kStart;
  for (int tick = 0; tick < 300; ++tick) {
    now += milliseconds(100);
    controller.OnLoad(now, Measured(controller.Kept(now)));
  }
  ASSERT_EQ(controller.Kept(now), 16);
  const Time next = controller.NextShrink(now);
  ASSERT_GT(next, now + seconds(29));
  ASSERT_LE(next, now + seconds(30));
  controller.OnLoad(now + seconds(1), SizeController::Load());
  EXPECT_EQ(controller.Kept(now + seconds(1)), 16);
  controller.OnLoad(next, SizeController::Load());
  EXPECT_EQ(controller.Kept(next), 2);
  EXPECT_EQ(controller.NextShrink(next), Time::max());
}

}  // namespace
}  // namespace predial
