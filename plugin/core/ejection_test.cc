// What RPCs and health checks say: members are taken out, endpoints ejected, and both come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "plugin/core/member.h"
#include "plugin/core/pool_core.h"
#include "plugin/core/pool_core_test_util.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class EjectionTest : public CoreTest {
 protected:
  // Endpoints a (1) and b (2), with a member each: 3 and 4.
  void StartWithTwoEndpoints() {
    Resolved({"a", "b"});
    Ready(3);
    Ready(4);
    now_ += seconds(10);
  }
  // a is ejected: its member and its successor, 5, were ailing. 6 on b takes over.
  void EjectA() {
    StartWithTwoEndpoints();
    Ailing(3);
    Drained(3);
    Ready(5);
    now_ += seconds(1);
    EXPECT_THAT(Ailing(5), ElementsAre("Drain{5}", "Connect{6, 2}", "Publish{4}"));
    Drained(5);
    Ready(6);
  }
  const PoolCore::Endpoint& A() { return core().endpoints().at(E(1)); }
};

TEST_F(EjectionTest, AMemberOnWhichRpcsFailIsReplacedAtOnce) {
  StartWithTwoReady();
  now_ += seconds(10);
  EXPECT_THAT(Ailing(2), ElementsAre("Drain{2}", "Connect{4, 1}", "Publish{3}"));
  EXPECT_THAT(Drained(2), ElementsAre("Close{2, failing}"));
  EXPECT_THAT(Ailing(3), ElementsAre("Drain{3}", "Connect{5, 1}", "Publish{}",
                                     "SetState{CONNECTING}"));  // as old as the first
  EXPECT_EQ(core().ejections(), 0);
}

// A spare was dialed when the member was: as a successor it would be as bad, and, taken for new, be
// kept for a while.
TEST_F(EjectionTest, SparesOfAMemberOnWhichRpcsFailAreDropped) {
  policy_.spares = 2;
  StartWithTwoReady();
  EXPECT_THAT(Load(2, 1), Contains("SetSpares{1, 2}"));
  now_ += seconds(10);
  EXPECT_THAT(Ailing(2), ElementsAre("SetSpares{1, 0}", "Drain{2}", "Connect{4, 1}",
                                     "SetSpares{1, 2}", "Publish{3}"));
}

TEST_F(EjectionTest, ASuccessorThatFailsTooIsKeptForAWhileAndThenTheEndpointIsEjected) {
  StartWithTwoEndpoints();
  Ailing(3);
  Ready(5);
  now_ += milliseconds(999);
  EXPECT_THAT(Ailing(5), IsEmpty());
  now_ += milliseconds(1);
  EXPECT_THAT(Ailing(5), ElementsAre("Drain{5}", "Connect{6, 2}", "Publish{4}"));
  EXPECT_EQ(core().ejections(), 1);
  EXPECT_THAT(Log(), Contains("eject 1: RPCs fail on new connections as well; for 1600 ms"));
}

TEST_F(EjectionTest, AnEndpointComesBackHalfOpenAndAnRpcThatEndsWellReadmitsIt) {
  EjectA();
  EXPECT_EQ(core().NextTick(now_), now_ + milliseconds(1600));
  now_ += milliseconds(1600);
  EXPECT_THAT(Tick(), ElementsAre("Connect{7, 1}"));
  EXPECT_TRUE(A().half_open);
  Load(4, 40);  // four are wanted: the others are b's
  EXPECT_EQ(std::count_if(core().members().begin(), core().members().end(),
                          [](const auto& entry) { return entry.second.endpoint == E(1); }),
            1);
  Ready(7);
  EXPECT_THAT(Success({4}), IsEmpty());  // another's
  EXPECT_TRUE(A().half_open);
  Success({7});
  EXPECT_FALSE(A().half_open);
  EXPECT_EQ(A().ailing.times, 0);
  EXPECT_EQ(core().readmissions(), 1);
  EXPECT_THAT(Log(), Contains("readmit 1: an RPC on it ended well"));
}

TEST_F(EjectionTest, OneThatFailsHalfOpenIsEjectedForLonger) {
  EjectA();
  now_ += milliseconds(1600);
  Tick();
  Ready(7);
  EXPECT_THAT(Ailing(7), Contains("Drain{7}"));
  EXPECT_EQ(A().ejected_until, now_ + milliseconds(2560));
}

// Nothing would ever readmit it, if nobody sends RPCs.
TEST_F(EjectionTest, WithoutLoadHalfOpenEndsByItself) {
  EjectA();
  now_ += milliseconds(1600);
  Tick();
  Ready(7);
  EXPECT_EQ(core().NextTick(now_), now_ + milliseconds(1600));
  now_ += milliseconds(1600);
  Tick();
  EXPECT_FALSE(A().half_open);
  EXPECT_EQ(core().readmissions(), 1);
}

TEST_F(EjectionTest, ASingleEndpointIsNeverLeftWithoutMembers) {
  StartWithTwoReady();
  now_ += seconds(10);
  Ailing(2);
  Ailing(3);
  Ready(4);
  Ready(5);
  now_ += seconds(1);
  EXPECT_THAT(Ailing(4), ElementsAre("Drain{4}", "Connect{6, 1}", "Publish{5}"));
  EXPECT_TRUE(core().panic());
  EXPECT_THAT(Ailing(5),
              ElementsAre("Drain{5}", "Connect{7, 1}", "Publish{}", "SetState{CONNECTING}"));
  EXPECT_THAT(Ready(6), Contains("Publish{6}"));
  EXPECT_THAT(Ready(7), Contains("Publish{6, 7}"));
  EXPECT_THAT(Ailing(6), IsEmpty());  // better than none
  Wait(milliseconds(3200));
  EXPECT_FALSE(core().panic());
  EXPECT_EQ(core().state(), PoolState::kReady);
}

TEST_F(EjectionTest, FailuresOfAnyCodeOnlyReplaceTheMemberTheNewOneFirst) {
  StartWithTwoReady();
  EXPECT_THAT(Erring(2), ElementsAre("Connect{4, 1}"));
  EXPECT_THAT(Erring(2), IsEmpty());
  EXPECT_THAT(Ready(4), ElementsAre("Drain{2}", "Publish{3, 4}"));
  EXPECT_THAT(Erring(4), IsEmpty());  // its predecessor was no better
  now_ += seconds(1);
  EXPECT_THAT(Erring(4), ElementsAre("Connect{5, 1}"));
  Ready(5);
  now_ += seconds(1);
  EXPECT_THAT(Erring(5), IsEmpty());  // seldomer each time
  EXPECT_EQ(core().ejections(), 0);
}

// They were one count: a client that only ever asks for what is not there had its endpoint ejected
// by the first few UNAVAILABLE.
TEST_F(EjectionTest, FailuresOfAnyCodeDoNotCountTowardsAnEjection) {
  StartWithTwoReady();
  Erring(2);
  Ready(4);
  now_ += seconds(1);
  EXPECT_THAT(Ailing(4), Contains("Drain{4}"));
  EXPECT_EQ(core().ejections(), 0);
}

TEST_F(EjectionTest, AMemberThatCannotBeLookedAtIsAsked) {
  policy_.health.enabled = true;
  StartWithTwoReady();
  EXPECT_THAT(Unanswered({{M(2), Duration::zero(), false, /*unseen=*/true}}),
              ElementsAre("Check{2, quick}", "Publish{3}"));
}

TEST_F(EjectionTest, ASuspectTakesNoRpcsButKeepsItsPlaceUntilItsCheckIsAnswered) {
  policy_.health.enabled = true;
  StartWithTwoReady();
  EXPECT_THAT(Unanswered({{M(2), milliseconds(300), false}, {M(3), milliseconds(10), false}}),
              ElementsAre("Check{2, quick}", "Publish{3}"));
  EXPECT_THAT(Unanswered({{M(2), milliseconds(310), false}}), IsEmpty());  // asked already
  EXPECT_THAT(Checked(2, HealthResult::kServing), ElementsAre("Publish{2, 3}"));
  EXPECT_FALSE(core().members().at(M(2)).suspect);
}

TEST_F(EjectionTest, ASuspectThatDoesNotAnswerIsReplacedByOneThatHasAnswered) {
  policy_.health.enabled = true;
  StartWithTwoReady();
  Unanswered({{M(2), milliseconds(300), false}});
  EXPECT_THAT(Checked(2, HealthResult::kNoAnswer),
              ElementsAre("Drain{2}", "Connect{4, 1, prime}", "ResolveNow{}"));
  EXPECT_TRUE(A().suspect);
  Ready(4);
  EXPECT_FALSE(A().suspect);
}

// Its socket may be a spare whose SETTINGS came before the server hung.
TEST_F(EjectionTest, AMemberThatWasNotPrimedDoesNotClearItsEndpoint) {
  policy_.health.enabled = true;
  StartWithTwoReady();
  PeerClosed(3);  // 4 is on the way
  Unanswered({{M(2), milliseconds(300), false}});
  EXPECT_THAT(Checked(2, HealthResult::kNoAnswer), Contains("Drain{2}"));
  Ready(4);
  EXPECT_TRUE(A().suspect);
  now_ += milliseconds(1);
  Ready(5);  // primed
  EXPECT_FALSE(A().suspect);
}

TEST_F(EjectionTest, AnRpcThatEndsWellOnALaterMemberClearsItsEndpoint) {
  policy_.health.enabled = true;
  StartWithTwoReady();
  PeerClosed(3);
  Unanswered({{M(2), milliseconds(300), false}});
  Checked(2, HealthResult::kNoAnswer);
  now_ += milliseconds(1);
  Ready(4);
  Success({4});
  EXPECT_FALSE(A().suspect);
}

TEST_F(EjectionTest, ABlackholeIsLeftAtOnceAndItsQuietMembersAreAsked) {
  policy_.health.enabled = true;
  policy_.sizing.min = 4;
  policy_.sizing.max = 8;
  Resolved({"a", "b"});  // 3 and 5 on a, 4 and 6 on b
  for (uint64_t id : {3, 4, 5, 6}) Ready(id);
  EXPECT_THAT(Unanswered({{M(3), milliseconds(300), true}}),
              ElementsAre("Drain{3}", "Check{5, quick}", "Connect{7, 2}", "Connect{8, 2}",
                          "Publish{4, 6}", "ResolveNow{}"));
  EXPECT_THAT(Checked(5, HealthResult::kNoAnswer),
              ElementsAre("Drain{5}", "Connect{9, 1, prime}", "ResolveNow{}"));
}

TEST_F(EjectionTest, DataThatWasSentAgainOnceIsNoBlackholeYet) {
  StartWithTwoReady();
  EXPECT_THAT(Unanswered({{M(2), milliseconds(40), true}}), IsEmpty());
  policy_.health.enabled = true;
  core_.reset();
  StartWithTwoReady();
  EXPECT_THAT(Unanswered({{M(2), milliseconds(199), true}}),
              ElementsAre("Check{2, quick}", "Publish{3}"));
}

TEST_F(EjectionTest, AllSuspectIsPanicAndAllAreUsed) {
  policy_.health.enabled = true;
  StartWithTwoReady();
  EXPECT_THAT(Unanswered({{M(2), milliseconds(300), false}, {M(3), milliseconds(300), false}}),
              ElementsAre("Check{2, quick}", "Check{3, quick}"));
  EXPECT_TRUE(core().panic());
  EXPECT_EQ(core().state(), PoolState::kReady);
}

// In a panic it has RPCs all the time, and so was never quiet enough to be asked again.
TEST_F(EjectionTest, AnEjectedMemberThatCarriesRpcsInAPanicIsCheckedAllTheSame) {
  policy_.health.enabled = true;
  StartWithTwoReady();
  Checked(2, HealthResult::kNotServing);
  Ready(4);
  Checked(3, HealthResult::kNotServing);
  Checked(4, HealthResult::kNotServing);
  ASSERT_TRUE(core().panic());
  Lines lines;
  for (int i = 0; i < 50; ++i) {
    now_ += milliseconds(100);
    for (std::string& line : Load(2, 1)) lines.push_back(std::move(line));
  }
  EXPECT_THAT(lines, Contains("Check{2}"));
  Checked(2, HealthResult::kServing);
  EXPECT_EQ(core().members().at(M(2)).state(), MemberState::kReady);
}

// No connection was ever made again to tell.
TEST_F(EjectionTest, SuspicionEndsWhenSparesFromBeforeAreGone) {
  policy_.health.enabled = true;
  Resolved({"a"});
  for (uint64_t id : {2, 3}) Ready(id);
  Load(2, 25);
  Ready(4);
  Load(2, 0);
  Unanswered({{M(2), milliseconds(300), false}});
  Checked(2, HealthResult::kNoAnswer);  // not replaced: two are enough
  EXPECT_TRUE(A().suspect);
  now_ += seconds(20);
  Success({3, 4});
  EXPECT_FALSE(A().suspect);
}

TEST_F(EjectionTest, WithoutHealthChecksASilentMemberIsReplacedTheNewOneFirstAndNotAgainAndAgain) {
  StartWithTwoReady();
  EXPECT_THAT(Unanswered({{M(2), milliseconds(300), false}}),
              ElementsAre("Connect{4, 1, prime}", "ResolveNow{}"));
  EXPECT_THAT(Unanswered({{M(2), milliseconds(300), false}}), IsEmpty());
  now_ += milliseconds(10);
  EXPECT_THAT(Ready(4), Contains("Drain{2}"));
  EXPECT_THAT(Unanswered({{M(4), milliseconds(300), false}}), IsEmpty());
}

TEST_F(EjectionTest, AnEndpointThatComesBackStartsSlowly) {
  policy_.slow_start = seconds(1);
  StartWithTwoEndpoints();
  PeerClosed(3);
  Failed(5);
  Ready(6);
  now_ += seconds(1);
  Tick();
  EXPECT_THAT(Ready(7), Contains("Publish{6, 7, 6, 6, 6}"));
  now_ += milliseconds(500);
  EXPECT_THAT(Tick(), Contains("Publish{6, 7, 6, 7, 6, 6}"));
  now_ += milliseconds(500);
  EXPECT_THAT(Tick(), Contains("Publish{6, 7}"));
  EXPECT_EQ(core().NextTick(now_), Time::max());
}

TEST_F(EjectionTest, TheLogSaysWhy) {
  StartWithTwoReady();
  Ailing(2);
  Drained(2);
  Ready(4);
  PeerClosed(3);
  EXPECT_THAT(Log(), ElementsAre("drain 2: failing", "close 3: peer_closed"));
}

TEST_F(EjectionTest, WhatTheWatchSaidIsInTheLog) {
  StartWithTwoEndpoints();
  for (const auto& [result, reason] :
       {std::pair(HealthResult::kServing, "its health service says SERVING"),
        std::pair(HealthResult::kNoAnswer, "its health watch has ended"),
        std::pair(HealthResult::kUnimplemented, "its health service knows nothing of it")}) {
    Watched(1, HealthResult::kNotServing);
    EXPECT_THAT(Log(), Contains("eject 1: its health service says NOT_SERVING"));
    Watched(1, result);
    EXPECT_EQ(Log().back(), std::string("readmit 1: ") + reason);
  }
}

}  // namespace
}  // namespace predial
