// Members are replaced before their time is up; drains that take too long are cut.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "plugin/core/member.h"
#include "plugin/core/pool_core.h"
#include "plugin/core/pool_core_test_util.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class RotationTest : public CoreTest {
 protected:
  int Rotations(RotateReason reason) {
    return static_cast<int>(core().rotations()[static_cast<int>(reason)]);
  }
  // The server ends connections at 10 s of age, and the scout has found out.
  void LearnTenSeconds() {
    ScoutUp(1);
    now_ += milliseconds(500);
    ScoutDown(1, seconds(10));
    Wait(milliseconds(301));
    ASSERT_EQ(core().endpoints().at(E(1)).lifetime.age_limit(), seconds(10));
  }
};

TEST_F(RotationTest, TheNewOneIsMadeFirst) {
  StartWithTwoReady();
  Worn(2);  // no limit: nothing to be worn by
  policy_.lifetime.rpcs_max = 100;
  core_.reset();
  StartWithTwoReady();
  EXPECT_THAT(Worn(2), ElementsAre("Connect{4, 1}"));
  EXPECT_THAT(Worn(2), IsEmpty());
  EXPECT_THAT(Ready(4),
              ElementsAre(testing::StartsWith("LimitRpcs{4, "), "Drain{2}", "Publish{3, 4}"));
  EXPECT_THAT(Drained(2), ElementsAre("Close{2, rotated}"));
  EXPECT_EQ(Rotations(RotateReason::kRpcs), 1);
}

TEST_F(RotationTest, ALimitOnRpcsIsOrderedWhenAMemberIsReady) {
  policy_.lifetime.rpcs_max = 1000;
  Resolved({"a"});
  const Lines lines = Ready(2);
  EXPECT_THAT(lines, Contains(testing::MatchesRegex("LimitRpcs.2, [67].., 1000.")));
}

TEST_F(RotationTest, MembersAreReplacedByTheirAgeHalfOfThemAtATime) {
  policy_.lifetime.age_max = seconds(100);
  policy_.sizing.min = 4;
  policy_.sizing.max = 8;
  Resolved({"a"});
  for (uint64_t id : {2, 3, 4, 5}) Ready(id);
  const Time next = core().NextTick(now_);
  EXPECT_GE(next, now_ + seconds(60));
  EXPECT_LE(next, now_ + seconds(75));
  now_ += seconds(75);  // all of them are due
  EXPECT_THAT(Tick(), ElementsAre("Connect{6, 1}", "Connect{7, 1}"));
  EXPECT_THAT(Tick(), IsEmpty());
  EXPECT_THAT(Ready(6), ElementsAre("Drain{2}", "Connect{8, 1}", "Publish{3, 4, 5, 6}"));
  EXPECT_THAT(Ready(7), ElementsAre("Drain{3}", "Connect{9, 1}", "Publish{4, 5, 6, 7}"));
  EXPECT_THAT(Ready(8), ElementsAre("Drain{4}", "Publish{5, 6, 7, 8}"));
  EXPECT_THAT(Ready(9), ElementsAre("Drain{5}", "Publish{6, 7, 8, 9}"));
  EXPECT_EQ(Rotations(RotateReason::kAge), 4);
}

TEST_F(RotationTest, EachMemberHasATimeOfItsOwn) {
  policy_.lifetime.age_max = seconds(100);
  StartWithTwoReady();
  EXPECT_NE(core().members().at(M(2)).jitter, core().members().at(M(3)).jitter);
  EXPECT_THAT(Wait(seconds(60)), IsEmpty());
  EXPECT_THAT(Wait(seconds(15)), ElementsAre("Connect{4, 1}"));
  EXPECT_THAT(Ready(4).front(), testing::MatchesRegex("Drain.[23]."));
}

TEST_F(RotationTest, MembersAreReplacedAsFastAsTheScoutGrowsOld) {
  policy_.sizing.min = policy_.sizing.max = 1;
  ScoutUp(1);  // unknown still: ignored
  Resolved({"a"});
  ScoutUp(1);
  Ready(2);
  const Time scout = now_;
  for (uint64_t last = 2; last < 10; ++last) {
    const Time born = now_;
    now_ = core().NextTick(now_);
    EXPECT_THAT(Tick(), ElementsAre(absl::StrCat("Connect{", last + 1, ", 1}")));
    if (last > 2) {
      EXPECT_GE(now_ - born, (now_ - scout) * 6 / 10 - milliseconds(1));
      EXPECT_LE(now_ - born, (now_ - scout) * 3 / 4 + milliseconds(1));
    } else {
      EXPECT_LE(now_ - born, seconds(1));
    }
    Ready(last + 1);
    Drained(last);
  }
  EXPECT_EQ(Rotations(RotateReason::kProvenAge), 8);
}

TEST_F(RotationTest, WhatTheScoutLearnedHoldsForMembersThatAreThere) {
  StartWithTwoReady();
  LearnTenSeconds();
  EXPECT_THAT(Log(), Contains("learn 1: connections live for 10 s"));
  EXPECT_THAT(Wait(seconds(5)), IsEmpty());
  EXPECT_THAT(Wait(milliseconds(1700)), Contains("Connect{4, 1}"));
}

TEST_F(RotationTest, ALearnedLimitOnRpcsIsOrderedForAllMembersEvenEjectedOnes) {
  policy_.sizing.min = 3;
  Resolved({"a"});
  for (uint64_t id : {2, 3, 4}) Ready(id);
  ScoutUp(1);
  Checked(3, HealthResult::kNotServing);  // 5 is made instead
  Ready(5);
  now_ += seconds(1);
  Ended(2, 100);
  Ready(6);
  now_ += milliseconds(500);
  Ended(6, 100);
  Ready(7);
  const Lines lines = Wait(seconds(2));
  for (const char* id : {"3", "4", "5", "7"}) {
    EXPECT_THAT(lines, Contains(testing::MatchesRegex(absl::StrCat("LimitRpcs.", id, ", .*100."))));
  }
}

// A server that was killed again and again after as many RPCs taught that number.
TEST_F(RotationTest, EndsWithoutAWordTeachNoLimitOnRpcs) {
  Resolved({"a"});
  Ready(2);
  Ready(3);
  ScoutUp(1);
  now_ += seconds(1);
  Ended(2, 100, /*without_a_word=*/true);
  Ready(4);
  now_ += milliseconds(500);
  Ended(4, 100, /*without_a_word=*/true);
  Wait(seconds(2));
  EXPECT_EQ(core().endpoints().at(E(1)).lifetime.rpcs_limit(), std::nullopt);
}

TEST_F(RotationTest, AMemberThatIsWornByWhatWasLearnedIsNotReplacedAtOnce) {
  Resolved({"a"});
  Ready(2);
  Ready(3);
  ScoutUp(1);
  now_ += seconds(1);
  Ended(2, 100);
  Ready(4);
  now_ += milliseconds(10);
  Ended(4, 100);
  Wait(milliseconds(900));  // 3 is being replaced by 6, because the scout is young
  ASSERT_EQ(core().endpoints().at(E(1)).lifetime.rpcs_limit(), 100u);
  Ready(5);
  now_ += milliseconds(1);
  EXPECT_THAT(Worn(5), IsEmpty());
  EXPECT_EQ(core().NextTick(now_), now_ + milliseconds(49));
  now_ += milliseconds(49);
  EXPECT_THAT(Tick(), ElementsAre("Connect{7, 1}"));
}

TEST_F(RotationTest, AtTheMaximumThereIsOneAboveItForAsLongAsItTakes) {
  policy_.sizing.min = policy_.sizing.max = 3;
  policy_.lifetime.rpcs_max = 1000;
  Resolved({"a"});
  for (uint64_t id : {2, 3, 4}) Ready(id);
  EXPECT_THAT(Worn(2), ElementsAre("Connect{5, 1}"));
  EXPECT_THAT(Worn(3), IsEmpty());  // one at a time
  const Lines lines = Ready(5);
  EXPECT_THAT(lines, ElementsAre(testing::StartsWith("LimitRpcs{5"), "Drain{2}", "Connect{6, 1}",
                                 "Publish{3, 4, 5}"));
}

TEST_F(RotationTest, ThePlaceOfOneThatDiedMeanwhileIsNotFilledTwice) {
  policy_.sizing.min = policy_.sizing.max = 2;
  policy_.lifetime.rpcs_max = 1000;
  StartWithTwoReady();
  EXPECT_THAT(Worn(2), ElementsAre("Connect{4, 1}"));
  now_ += seconds(5);
  EXPECT_THAT(PeerClosed(2), ElementsAre("Close{2, peer_closed}", "Publish{3}", "ResolveNow{}"));
  EXPECT_THAT(Ready(4), ElementsAre(testing::StartsWith("LimitRpcs{4"), "Publish{3, 4}"));
}

TEST_F(RotationTest, WithoutASuccessorTheOldOneStays) {
  policy_.lifetime.rpcs_max = 1000;
  policy_.sizing.min = policy_.sizing.max = 1;
  Resolved({"a"});
  Ready(2);
  EXPECT_THAT(Worn(2), ElementsAre("Connect{3, 1}"));
  EXPECT_THAT(Failed(3), ElementsAre("Close{3, setup_failed}", "ResolveNow{}"));
  EXPECT_EQ(core().state(), PoolState::kReady);
  EXPECT_EQ(core().NextTick(now_), now_ + seconds(1));
  now_ += seconds(1);
  EXPECT_THAT(Tick(), ElementsAre("Connect{4, 1}"));
  EXPECT_THAT(Ready(4), Contains("Drain{2}"));
}

TEST_F(RotationTest, OneThatTheLoadDoesNotNeedIsNotReplaced) {
  StartWithTwoReady();
  Load(2, 25);
  Ready(4);
  Load(2, 0);
  ASSERT_EQ(core().wanted(), 2);
  Text(core().OnReplaceAll(now_));
  EXPECT_THAT(Log(), Contains("drain 2: rotated"));
  EXPECT_EQ(core().members().size(), 4u);  // one drains, one rotates, one is on the way
}

TEST_F(RotationTest, ReplaceAllIsGentleAndLeavesNoOldSpares) {
  policy_.spares = 2;
  policy_.sizing.min = 4;
  policy_.sizing.max = 8;
  Resolved({"a"});
  for (uint64_t id : {2, 3, 4, 5}) Ready(id);
  Load(2, 1);
  EXPECT_THAT(Text(core().OnReplaceAll(now_)),
              ElementsAre("SetSpares{1, 0}", "Connect{6, 1}", "Connect{7, 1}", "SetSpares{1, 2}"));
  for (uint64_t id : {6, 7, 8, 9}) Ready(id);
  EXPECT_EQ(Rotations(RotateReason::kAsked), 4);
  for (uint64_t id : {2, 3, 4, 5}) {
    EXPECT_EQ(core().members().at(M(id)).state(), MemberState::kDraining);
  }
  EXPECT_THAT(Wait(minutes(1)), Not(Contains(testing::StartsWith("Connect"))));
}

TEST_F(RotationTest, ADrainThatTakesTooLongIsCut) {
  policy_.drain_timeout = seconds(10);
  StartWithTwoReady();
  GoingAway(2);
  EXPECT_EQ(core().NextTick(now_), now_ + seconds(10));
  now_ += seconds(10);
  EXPECT_THAT(Tick(), ElementsAre("Cut{2}"));
  EXPECT_THAT(Tick(), IsEmpty());
  EXPECT_THAT(PeerClosed(2), ElementsAre("Close{2, drain_timeout}"));
}

TEST_F(RotationTest, WithoutADrainTimeoutNothingIsCut) {
  StartWithTwoReady();
  GoingAway(2);
  Ready(4);
  EXPECT_EQ(core().NextTick(now_), Time::max());
}

// It had been due for ever: OnTick() does nothing any more.
TEST_F(RotationTest, AfterShutdownNothingIsDue) {
  policy_.drain_timeout = seconds(10);
  StartWithTwoReady();
  Text(core().OnShutdown(now_));
  EXPECT_EQ(core().NextTick(now_), Time::max());
}

TEST_F(RotationTest, WhileSuspendedThereAreNoConnectionsAndThenAllAgain) {
  StartWithTwoReady();
  EXPECT_THAT(Text(core().OnSuspended(now_)),
              ElementsAre("Drain{2}", "Drain{3}", "Publish{}", "SetState{SUSPENDED}"));
  Drained(2);
  Drained(3);
  EXPECT_THAT(Tick(Demand()), IsEmpty());
  EXPECT_THAT(Wait(hours(1)), IsEmpty());
  EXPECT_THAT(Text(core().OnResumed(now_)),
              ElementsAre("Connect{4, 1}", "Connect{5, 1}", "SetState{CONNECTING}"));
}

// The scout was gone all the time: its age says nothing.
TEST_F(RotationTest, WhatWasLearnedOutlastsASuspension) {
  StartWithTwoReady();
  LearnTenSeconds();
  ScoutUp(1);
  Text(core().OnSuspended(now_));
  Drained(2);
  Drained(3);
  now_ += hours(1);
  Text(core().OnResumed(now_));
  EXPECT_EQ(core().endpoints().at(E(1)).lifetime.age_limit(), seconds(10));
}

}  // namespace
}  // namespace predial
