// Servers that accept, show their SETTINGS and hang up are backed off from, however that comes to
// be known.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <variant>

#include "plugin/core/action.h"
#include "plugin/core/pool_core.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

using std::chrono::milliseconds;

int Connects(const Actions& actions) {
  return static_cast<int>(std::count_if(actions.begin(), actions.end(), [](const Action& action) {
    return std::holds_alternative<Connect>(action);
  }));
}

// One endpoint, 1, and two members on the way: 2 and 3.
class PoolCoreHangUpTest : public testing::Test {
 protected:
  PoolCoreHangUpTest() {
    EXPECT_EQ(Connects(core_.OnResolved(now_, {"a"})), 2);
    now_ += milliseconds(10);
  }
  // Connects ordered by each event, which come a while after each other.
  int Ready(uint64_t id) { return Connects(core_.OnReady(Later(), MemberId{id}, 0)); }
  int Closed(uint64_t id, bool proved = false) {
    return Connects(core_.OnPeerClosed(Later(), MemberId{id}, {proved}));
  }
  int GoingAway(uint64_t id, bool proved = false) {
    return Connects(core_.OnGoingAway(Later(), MemberId{id}, {proved}));
  }
  int Failures() const { return core_.endpoints().at(EndpointId{1}).failures; }
  Time Later() { return now_ += milliseconds(1); }

  Time now_ = Time() + std::chrono::hours(1);
  PoolCore core_{PoolPolicy(), /*seed=*/1, now_};
};

// Each was ready after the other had been closed: it must not clear the way for the other's
// successor, which would go on without end.
TEST_F(PoolCoreHangUpTest, TwoThatAreClosedInTurnsAreOneFailure) {
  EXPECT_EQ(Ready(2), 0);
  EXPECT_EQ(Closed(2), 0);
  EXPECT_EQ(Ready(3), 0);
  EXPECT_EQ(Closed(3), 0);
  EXPECT_EQ(Failures(), 1);
  EXPECT_GT(core_.NextTick(now_), now_ + milliseconds(500));
}

// The second is there all the same: with another endpoint beside it, it is all that is wanted of
// this one, and the failure would be held against it for ever.
TEST_F(PoolCoreHangUpTest, AFailureIsForgottenAfterItsBackoffIfNobodyWantsToDial) {
  EXPECT_EQ(Ready(2), 0);
  EXPECT_EQ(Closed(2), 0);
  EXPECT_EQ(Connects(core_.OnResolved(Later(), {"a", "b"})), 2);  // of the endpoint 4
  EXPECT_EQ(Ready(3), 0);
  EXPECT_EQ(Ready(5), 0);
  EXPECT_EQ(Ready(6), 0);
  core_.OnTick(Later(), LoadSample());
  EXPECT_EQ(Failures(), 1);
  now_ += std::chrono::seconds(2);
  EXPECT_EQ(Connects(core_.OnTick(now_, LoadSample())), 0);
  EXPECT_EQ(Failures(), 0);
}

// The wait grows from failure to failure, and each is the next one's beginning.
TEST_F(PoolCoreHangUpTest, AFailureIsNotForgottenWhileAMemberIsMissing) {
  EXPECT_EQ(Ready(2), 0);
  EXPECT_EQ(Closed(2), 0);
  EXPECT_EQ(Ready(3), 0);
  now_ += std::chrono::seconds(2);
  EXPECT_EQ(Connects(core_.OnTick(now_, LoadSample())), 1);
  core_.OnConnectFailed(Later(), MemberId{4}, DialResult::kRefused);
  EXPECT_EQ(Failures(), 2);
}

// It began before the other was ready, and the endpoint works: or it would count as failing for as
// long as nobody dials it.
TEST_F(PoolCoreHangUpTest, ADialThatFailsBesideASuccessIsNoFailure) {
  EXPECT_EQ(Ready(2), 0);
  core_.OnConnectFailed(Later(), MemberId{3}, DialResult::kTimeout);
  EXPECT_EQ(Failures(), 0);
}

// It fell due between the event and the question, and nobody ever came back to it.
TEST_F(PoolCoreHangUpTest, ARetryThatIsDueWhenItIsAskedForIsNotForgotten) {
  core_.OnConnectFailed(Later(), MemberId{2}, DialResult::kRefused);
  core_.OnConnectFailed(Later(), MemberId{3}, DialResult::kRefused);
  const Time retry_at = core_.endpoints().at(EndpointId{1}).retry_at;
  EXPECT_GT(retry_at, now_);
  EXPECT_EQ(core_.NextTick(retry_at + milliseconds(1)), retry_at);
  EXPECT_EQ(Connects(core_.OnTick(retry_at + milliseconds(1), {})), 1);
}

TEST_F(PoolCoreHangUpTest, TheNextAttemptAlsoFails) {
  Ready(2);
  Closed(2);
  Ready(3);
  Closed(3);
  now_ += std::chrono::seconds(2);
  EXPECT_EQ(Connects(core_.OnTick(now_, {})), 1);  // 4
  EXPECT_EQ(Ready(4), 1);                          // 5
  EXPECT_EQ(Closed(4), 0);
  EXPECT_EQ(Ready(5), 0);
  EXPECT_EQ(Closed(5), 0);
}

// What an RPC finds first is then closed, which says nothing new.
TEST_F(PoolCoreHangUpTest, OneThatGoesAwayWithItsFirstRpcIsAFailure) {
  Ready(2);
  Ready(3);
  EXPECT_EQ(GoingAway(2), 0);
  EXPECT_EQ(Closed(2), 0);
  EXPECT_EQ(GoingAway(3), 0);
  EXPECT_EQ(Closed(3), 0);
  EXPECT_EQ(Failures(), 1);
}

TEST_F(PoolCoreHangUpTest, OneThatWorkedIsReplacedAtOnce) {
  Ready(2);
  Ready(3);
  EXPECT_EQ(GoingAway(2, /*proved=*/true), 1);
  EXPECT_EQ(Closed(3, /*proved=*/true), 1);
  EXPECT_EQ(Failures(), 0);
}

}  // namespace
}  // namespace predial
