#include "plugin/core/pool_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "plugin/core/pool_core_test_util.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

using PoolCoreTest = CoreTest;

TEST_F(PoolCoreTest, ConnectsTheMinimumAndPublishesWhatIsReady) {
  EXPECT_THAT(Resolved({"a"}), ElementsAre("AddEndpoint{1, a}", "Connect{2, 1}", "Connect{3, 1}"));
  EXPECT_EQ(core().state(), PoolState::kConnecting);
  EXPECT_THAT(Ready(2), ElementsAre("WakeAnchor{1}", "Publish{2}", "SetState{READY}"));
  EXPECT_THAT(Ready(3), ElementsAre("Publish{2, 3}"));
  EXPECT_THAT(Tick(), IsEmpty());
  EXPECT_EQ(core().NextTick(now_), Time::max());
}

TEST_F(PoolCoreTest, SpreadsMembersEvenlyOverEndpoints) {
  policy_.sizing.min = 3;
  EXPECT_THAT(Resolved({"a", "b"}), ElementsAre("AddEndpoint{1, a}", "AddEndpoint{2, b}",
                                                "Connect{3, 1}", "Connect{4, 2}", "Connect{5, 1}"));
}

TEST_F(PoolCoreTest, EveryEndpointGetsAMemberEvenAboveTheMinimum) {
  policy_.sizing.min = 1;
  EXPECT_THAT(Resolved({"a", "b"}), ElementsAre("AddEndpoint{1, a}", "AddEndpoint{2, b}",
                                                "Connect{3, 1}", "Connect{4, 2}"));
}

TEST_F(PoolCoreTest, NeverMoreThanTheMaximum) {
  policy_.sizing.min = policy_.sizing.max = 2;
  EXPECT_THAT(Resolved({"a", "b", "c"}),
              ElementsAre("AddEndpoint{1, a}", "AddEndpoint{2, b}", "AddEndpoint{3, c}",
                          "Connect{4, 1}", "Connect{5, 2}"));
}

TEST_F(PoolCoreTest, NeverMoreDialsAtATimeThanAllowed) {
  policy_.dials_max = 1;
  EXPECT_THAT(Resolved({"a"}), ElementsAre("AddEndpoint{1, a}", "Connect{2, 1}"));
  EXPECT_THAT(Ready(2),
              ElementsAre("WakeAnchor{1}", "Connect{3, 1}", "Publish{2}", "SetState{READY}"));
}

TEST_F(PoolCoreTest, GrowsByLoadAndShrinksAfterTheIdleTimeout) {
  StartWithTwoReady();
  EXPECT_THAT(Load(2, 21), ElementsAre("Connect{4, 1}"));
  EXPECT_THAT(Ready(4), ElementsAre("Publish{2, 3, 4}"));
  EXPECT_EQ(core().NextTick(now_), now_ + milliseconds(100));
  now_ += seconds(1);
  EXPECT_THAT(Load(2, 0), IsEmpty());
  now_ += milliseconds(28999);
  EXPECT_THAT(Tick(), IsEmpty());
  EXPECT_EQ(core().NextTick(now_), now_ + milliseconds(1));
  now_ += milliseconds(1);
  EXPECT_THAT(Tick(), ElementsAre("Drain{2}", "Publish{3, 4}"));
  EXPECT_THAT(Drained(2), ElementsAre("Close{2, idle}"));
  EXPECT_EQ(core().NextTick(now_), Time::max());
}

TEST_F(PoolCoreTest, GrowsSoonerBelowAPeersStreamLimit) {
  Resolved({"a"});
  Ready(2, 5);
  Ready(3, 100);
  EXPECT_EQ(core().streams_per_member(), 4);
  EXPECT_THAT(Load(2, 9), ElementsAre("Connect{4, 1}"));
}

TEST_F(PoolCoreTest, ReplacesADeadMemberAtOnce) {
  StartWithTwoReady();
  now_ += seconds(10);
  EXPECT_THAT(PeerClosed(2),
              ElementsAre("Close{2, peer_closed}", "Connect{4, 1}", "Publish{3}", "ResolveNow{}"));
  EXPECT_THAT(PeerClosed(2), IsEmpty());  // too late: ignored
}

TEST_F(PoolCoreTest, BacksOffWhileDialsFail) {
  Resolved({"a"});
  EXPECT_THAT(Failed(2),
              ElementsAre("Close{2, setup_failed}", "SetState{TRANSIENT_FAILURE}", "ResolveNow{}"));
  EXPECT_THAT(Failed(3), ElementsAre("Close{3, setup_failed}", "ResolveNow{}"));
  EXPECT_EQ(core().endpoints().at(E(1)).failures, 1);  // side by side: one failure
  EXPECT_EQ(core().NextTick(now_), now_ + seconds(1));
  now_ += seconds(1);
  EXPECT_THAT(Tick(), ElementsAre("Connect{4, 1}"));  // one at a time
  now_ += milliseconds(5);
  Failed(4);
  EXPECT_EQ(core().NextTick(now_), now_ + milliseconds(1600));
  now_ += milliseconds(1600);
  EXPECT_THAT(Tick(), ElementsAre("Connect{5, 1}"));
  EXPECT_THAT(Ready(5),
              ElementsAre("WakeAnchor{1}", "Connect{6, 1}", "Publish{5}", "SetState{READY}"));
}

TEST_F(PoolCoreTest, RetriesSoonerWhileRpcsFindNoReadyMember) {
  policy_.sizing.min = 1;
  Resolved({"a"});
  for (uint64_t member = 2; member < 12; ++member) {
    Failed(member);
    now_ += seconds(120);
    Tick();
  }
  Failed(12);
  EXPECT_GT(core().NextTick(now_), now_ + seconds(100));
  EXPECT_THAT(Tick(Demand()), IsEmpty());
  now_ += milliseconds(500);
  EXPECT_THAT(Tick(Demand()), ElementsAre("Connect{13, 1}"));
}

// A server may be back before anybody found it gone: there was no failure then, but RPCs wait.
TEST_F(PoolCoreTest, TheFirstReadyMemberWakesTheAnchorEvenWithoutAFailure) {
  policy_.sizing.min = 1;
  Resolved({"a"});
  Ready(2);
  now_ += seconds(10);
  PeerClosed(2);
  EXPECT_THAT(Ready(3), ElementsAre("WakeAnchor{1}", "Publish{3}", "SetState{READY}"));
}

TEST_F(PoolCoreTest, RpcsThatStillWaitOnTheAnchorAreWokenWithEveryTick) {
  StartWithTwoReady();
  LoadSample load;
  load.anchor_in_flight = 1;
  EXPECT_THAT(Tick(load), ElementsAre("WakeTargetAnchor{}"));
  EXPECT_THAT(Tick(load), ElementsAre("WakeTargetAnchor{}"));
  EXPECT_EQ(core().NextTick(now_), now_ + milliseconds(100));
  EXPECT_THAT(Tick(), IsEmpty());
}

TEST_F(PoolCoreTest, AServerThatHangsUpAtOnceIsBackedOffFrom) {
  policy_.sizing.min = 1;
  Resolved({"a"});
  Ready(2);
  now_ += milliseconds(10);
  EXPECT_THAT(PeerClosed(2, /*proved=*/false),
              ElementsAre("Close{2, peer_closed}", "Publish{}", "SetState{TRANSIENT_FAILURE}",
                          "ResolveNow{}"));
  EXPECT_EQ(core().NextTick(now_), now_ + seconds(1));
}

TEST_F(PoolCoreTest, AShortLivedConnectionThatWorkedIsReplacedAtOnce) {
  policy_.sizing.min = 1;
  Resolved({"a"});
  Ready(2);
  now_ += milliseconds(10);
  EXPECT_THAT(PeerClosed(2, /*proved=*/true),
              ElementsAre("Close{2, peer_closed}", "Connect{3, 1}", "Publish{}",
                          "SetState{CONNECTING}", "ResolveNow{}"));
}

TEST_F(PoolCoreTest, OneEndpointDownLeavesItsLoadToTheOthers) {
  Resolved({"a", "b"});  // members 3 on a, 4 on b
  Ready(3);
  Ready(4);
  now_ += seconds(10);
  EXPECT_THAT(PeerClosed(3),
              ElementsAre("Close{3, peer_closed}", "Connect{5, 1}", "Publish{4}", "ResolveNow{}"));
  EXPECT_THAT(Failed(5), ElementsAre("Close{5, setup_failed}", "Connect{6, 2}", "ResolveNow{}"));
  Ready(6);
  now_ += seconds(1);
  EXPECT_THAT(Tick(), ElementsAre("Connect{7, 1}"));
  // Back: it gets its share, and only then does the other give up what it has too much.
  EXPECT_THAT(Ready(7), ElementsAre("WakeAnchor{1}", "Drain{4}", "Publish{6, 7}"));
}

TEST_F(PoolCoreTest, AtTheMaximumAnEndpointWithoutMemberGetsRoom) {
  policy_.sizing.min = policy_.sizing.max = 2;
  Resolved({"a"});  // 2, 3
  Ready(2);
  Ready(3);
  EXPECT_THAT(Resolved({"a", "b"}),
              ElementsAre("AddEndpoint{4, b}", "Drain{2}", "Connect{5, 4}", "Publish{3}"));
  EXPECT_THAT(Drained(2), ElementsAre("Close{2, rebalanced}"));
}

// It was not tried again for as long as the load needed the others.
TEST_F(PoolCoreTest, AtTheMaximumAnEndpointThatFailedIsTriedOneAboveIt) {
  policy_.sizing.min = policy_.sizing.max = 2;
  Resolved({"a", "b"});  // 3 on a, 4 on b
  Failed(3);             // 5 on b
  Ready(4);
  Ready(5);
  EXPECT_EQ(core().NextTick(now_), now_ + seconds(1));
  now_ += seconds(1);
  EXPECT_THAT(Tick(), ElementsAre("Connect{6, 1}"));
  EXPECT_THAT(Tick(), IsEmpty());
  EXPECT_THAT(Ready(6), ElementsAre("WakeAnchor{1}", "Drain{4}", "Publish{5, 6}"));
}

TEST_F(PoolCoreTest, AnEndpointThatIsNoLongerListedIsDrained) {
  Resolved({"a", "b"});
  Ready(3);
  Ready(4);
  EXPECT_THAT(Resolved({"b"}),
              ElementsAre("RetireEndpoint{1}", "Drain{3}", "Connect{5, 2}", "Publish{4}"));
  EXPECT_THAT(Drained(3), ElementsAre("Close{3, endpoint_gone}", "RemoveEndpoint{1}"));
}

// The list may be wrong: an ordinary channel, too, keeps what it has until there is something
// better.
TEST_F(PoolCoreTest, AnEndpointThatIsNoLongerListedIsUsedUntilAnotherOneIsReached) {
  policy_.sizing.max = 2;
  StartWithTwoReady();
  // One above the maximum.
  EXPECT_THAT(Resolved({"b"}),
              ElementsAre("RetireEndpoint{1}", "AddEndpoint{4, b}", "Connect{5, 4}"));
  EXPECT_THAT(Failed(5), ElementsAre("Close{5, setup_failed}", "ResolveNow{}"));
  EXPECT_EQ(core().state(), PoolState::kReady);
  now_ += std::chrono::seconds(2);
  EXPECT_THAT(Text(core().OnTick(now_, {})), ElementsAre("Connect{6, 4}"));
  EXPECT_THAT(Ready(6),
              ElementsAre("WakeAnchor{4}", "Drain{2}", "Drain{3}", "Connect{7, 4}", "Publish{6}"));
  Drained(2);
  EXPECT_EQ(core().endpoints().size(), 2u);
  EXPECT_THAT(Drained(3), ElementsAre("Close{3, endpoint_gone}", "RemoveEndpoint{1}"));
  EXPECT_EQ(core().endpoints().size(), 1u);
}

TEST_F(PoolCoreTest, OneThatIsNoLongerListedIsNotKeptBeyondShutdown) {
  StartWithTwoReady();
  Resolved({"b"});
  EXPECT_THAT(Text(core().OnShutdown(now_)), ::testing::Contains("Drain{2}"));
  Drained(2);
  Drained(3);
  EXPECT_TRUE(core().endpoints().empty());
}

TEST_F(PoolCoreTest, ResolutionThatFailsKeepsWhatIsKnown) {
  EXPECT_THAT(Text(core().OnResolveFailed(now_)), ElementsAre("SetState{TRANSIENT_FAILURE}"));
  StartWithTwoReady();
  EXPECT_THAT(Text(core().OnResolveFailed(now_)), IsEmpty());
  EXPECT_EQ(core().state(), PoolState::kReady);
}

TEST_F(PoolCoreTest, NotServingDrainsTheEndpointAndRecoveryReadmitsIt) {
  Resolved({"a", "b"});
  Ready(3);
  Ready(4);
  EXPECT_THAT(Watched(1, HealthResult::kNotServing),
              ElementsAre("Drain{3}", "Connect{5, 2}", "Publish{4}"));
  EXPECT_THAT(Drained(3), ElementsAre("Close{3, unhealthy}"));
  Ready(5);
  EXPECT_EQ(core().ejections(), 1);
  EXPECT_THAT(Watched(1, HealthResult::kServing), ElementsAre("Connect{6, 1}"));
  EXPECT_EQ(core().readmissions(), 1);
  EXPECT_THAT(Ready(6), ElementsAre("Drain{4}", "Publish{5, 6}"));
}

TEST_F(PoolCoreTest, HealthIsIgnoredWhenItWouldEjectMoreThanHalf) {
  Resolved({"a", "b"});
  Ready(3);
  Ready(4);
  Watched(1, HealthResult::kNotServing);
  EXPECT_FALSE(core().panic());
  EXPECT_THAT(Watched(2, HealthResult::kNotServing), ElementsAre("Connect{6, 1}"));
  EXPECT_TRUE(core().panic());
  EXPECT_EQ(core().state(), PoolState::kReady);
}

TEST_F(PoolCoreTest, ASingleServerThatIsNotServingIsUsedAllTheSame) {
  StartWithTwoReady();
  EXPECT_THAT(Watched(1, HealthResult::kNotServing), IsEmpty());
  EXPECT_TRUE(core().panic());
  EXPECT_THAT(Watched(1, HealthResult::kNoAnswer), IsEmpty());  // the watch ended
  EXPECT_FALSE(core().panic());
}

TEST_F(PoolCoreTest, ChecksQuietMembersOnly) {
  policy_.health.enabled = true;
  StartWithTwoReady();
  EXPECT_EQ(core().NextTick(now_), now_ + seconds(5));
  now_ += seconds(4);
  EXPECT_THAT(Load(2, 0), IsEmpty());
  now_ += seconds(1);
  EXPECT_THAT(Tick(), ElementsAre("Check{3}"));
  EXPECT_THAT(Tick(), IsEmpty());  // one at a time
  EXPECT_THAT(Checked(3, HealthResult::kUnimplemented), IsEmpty());
  EXPECT_EQ(core().NextTick(now_), now_ + milliseconds(2500));
}

TEST_F(PoolCoreTest, ChecksComeTogether) {
  policy_.health.enabled = true;
  policy_.sizing.min = 4;
  Resolved({"a"});
  const Time start = now_;
  for (uint64_t id : {2, 3, 4, 5}) {
    Ready(id);
    now_ += milliseconds(1200);
  }
  now_ = start + seconds(5);
  EXPECT_THAT(Tick(), ElementsAre("Check{2}", "Check{3}", "Check{4}"));
  for (uint64_t id : {2, 3, 4}) Checked(id, HealthResult::kServing);
  EXPECT_EQ(core().NextTick(now_), start + milliseconds(7500));
  now_ = start + milliseconds(7500);
  EXPECT_THAT(Tick(), ElementsAre("Check{5}"));
}

TEST_F(PoolCoreTest, AMemberThatIsNotServingIsEjectedReplacedAndReadmitted) {
  policy_.health.enabled = true;
  policy_.sizing.min = 3;
  Resolved({"a"});
  for (uint64_t id : {2, 3, 4}) Ready(id);
  EXPECT_THAT(Checked(3, HealthResult::kNotServing), ElementsAre("Connect{5, 1}", "Publish{2, 4}"));
  EXPECT_THAT(Checked(3, HealthResult::kServing), ElementsAre("Publish{2, 3, 4}"));
  EXPECT_EQ(core().ejections(), 1);
  EXPECT_EQ(core().readmissions(), 1);
}

TEST_F(PoolCoreTest, AMemberThatDoesNotAnswerItsChecksIsReplaced) {
  policy_.health.enabled = true;
  StartWithTwoReady();
  EXPECT_THAT(Checked(2, HealthResult::kNoAnswer), IsEmpty());
  EXPECT_THAT(Checked(2, HealthResult::kServing), IsEmpty());
  EXPECT_THAT(Checked(2, HealthResult::kNoAnswer), IsEmpty());
  EXPECT_THAT(Checked(2, HealthResult::kNoAnswer),
              ElementsAre("Drain{2}", "Connect{4, 1}", "Publish{3}"));
  EXPECT_THAT(Drained(2), ElementsAre("Close{2, unhealthy}"));
}

TEST_F(PoolCoreTest, AMemberThatIsGoingAwayIsReplaced) {
  StartWithTwoReady();
  EXPECT_THAT(GoingAway(3), ElementsAre("Drain{3}", "Connect{4, 1}", "Publish{2}"));
  EXPECT_THAT(GoingAway(3), IsEmpty());
  EXPECT_THAT(Drained(3), ElementsAre("Close{3, going_away}"));
}

TEST_F(PoolCoreTest, AProcessWithoutDescriptorsKeepsWhatItHasAndTriesOneByOne) {
  StartWithTwoReady();
  EXPECT_THAT(Load(2, 40), ElementsAre("Connect{4, 1}", "Connect{5, 1}"));
  Failed(4, DialResult::kLocalLimit);
  Failed(5, DialResult::kLocalLimit);
  EXPECT_EQ(core().endpoints().at(E(1)).failures, 0);  // not the server's fault
  EXPECT_EQ(core().state(), PoolState::kReady);
  now_ += milliseconds(1600);
  EXPECT_THAT(Load(2, 40), ElementsAre("Connect{6, 1}"));
  EXPECT_THAT(Ready(6), ElementsAre("Connect{7, 1}", "Publish{2, 3, 6}"));
}

TEST_F(PoolCoreTest, SparesAreKeptWhileThePoolIsInUse) {
  policy_.spares = 2;
  StartWithTwoReady();
  EXPECT_THAT(Load(2, 1), ElementsAre("SetSpares{1, 2}"));
  EXPECT_THAT(Load(2, 0), IsEmpty());
  EXPECT_THAT(Tick(), IsEmpty());
  EXPECT_EQ(core().NextTick(now_), now_ + seconds(20));
  now_ += seconds(20);
  EXPECT_THAT(Tick(), ElementsAre("SetSpares{1, 0}"));
}

TEST_F(PoolCoreTest, ShutdownDrainsEverythingAndNothingFollows) {
  Resolved({"a", "b"});
  Ready(3);
  EXPECT_THAT(
      Text(core().OnShutdown(now_)),
      ElementsAre("Drain{3}", "Close{4, shutdown}", "RetireEndpoint{1}", "RetireEndpoint{2}",
                  "RemoveEndpoint{2}", "Publish{}", "SetState{SHUTDOWN}"));
  EXPECT_THAT(Drained(3), ElementsAre("Close{3, shutdown}", "RemoveEndpoint{1}"));
  EXPECT_TRUE(core().members().empty());
  EXPECT_TRUE(core().endpoints().empty());
  EXPECT_THAT(Resolved({"c"}), IsEmpty());
  EXPECT_THAT(Tick(Demand()), IsEmpty());
  EXPECT_EQ(core().NextTick(now_), Time::max());
}

TEST_F(PoolCoreTest, OverdueWorkThatMustWaitDoesNotSpin) {
  policy_.sizing.min = policy_.sizing.max = 1;
  Resolved({"a", "b"});  // one member, 3, on a
  Failed(3);             // b's turn: 4
  Ready(4);
  now_ += seconds(10);
  Tick();  // a is overdue, but there is no place for it
  EXPECT_GT(core().NextTick(now_), now_);
}

}  // namespace
}  // namespace predial
