// Every sequence of events about a pool of two members, to a depth, with what has to hold after
// each event; and from every point of every sequence a shutdown that leaves nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/core/action.h"
#include "plugin/core/member.h"
#include "plugin/core/pool_core.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kMax = 2;

PoolPolicy Policy() {
  PoolPolicy policy;
  policy.sizing.min = policy.sizing.max = kMax;
  policy.drain_timeout = seconds(1);
  policy.lifetime.rpcs_max = 100;
  return policy;
}

// One point of a sequence.
struct Point {
  PoolCore core{Policy(), /*seed=*/1, Time() + std::chrono::hours(1)};
  Time now = Time() + std::chrono::hours(1);
  std::vector<MemberId> published;
  PoolState state = PoolState::kConnecting;
  bool suspended = false;
  std::string fault;  // what did not hold

  void Carry(const Actions& actions) {
    for (const Action& action : actions) {
      if (const auto* publish = std::get_if<Publish>(&action)) published = publish->members;
      if (const auto* set = std::get_if<SetState>(&action)) state = set->state;
      const auto* connect = std::get_if<Connect>(&action);
      if (connect != nullptr && core.members().count(connect->member) == 0) {
        fault = "a member was ordered that is not known";
      }
    }
    int connected = 0;
    int connecting = 0;
    for (const auto& [id, member] : core.members()) {
      connecting += member.state() == MemberState::kConnecting ? 1 : 0;
      connected += member.state() == MemberState::kReady || member.state() == MemberState::kEjected;
    }
    if (connected > kMax || connected + connecting > kMax + 1) fault = "too many members";
    for (const MemberId id : published) {
      const auto found = core.members().find(id);
      const bool takes = found != core.members().end() &&
                         (found->second.state() == MemberState::kReady ||
                          (core.panic() && found->second.state() == MemberState::kEjected));
      if (!takes) fault = "published, but takes no RPCs";
    }
    if ((state == PoolState::kReady) != !published.empty()) fault = "READY without members";
    if (state != core.state()) fault = "the state was not told";
  }
};

struct Step {
  std::string name;
  std::function<Actions(PoolCore&, Time)> event;
  Duration after = milliseconds(1);
};

using Steps = std::vector<Step>;

void AddMemberSteps(const Member& member, bool all, Steps& steps) {
  const MemberId id = member.id;
  const auto add = [&](const char* name, std::function<Actions(PoolCore&, Time)> event) {
    steps.push_back({absl::StrCat(name, " ", static_cast<uint64_t>(id)), std::move(event)});
  };
  const auto add_check = [&](HealthResult result) {
    add(ToString(result),
        [=](PoolCore& core, Time now) { return core.OnChecked(now, id, result); });
  };
  const ConnectionEnd end = {/*proved=*/false, /*rpcs=*/20, /*in_flight=*/1};
  if (member.state() == MemberState::kConnecting) {
    add("ready", [=](PoolCore& core, Time now) { return core.OnReady(now, id, 0); });
    add("failed", [=](PoolCore& core, Time now) {
      return core.OnConnectFailed(now, id, DialResult::kRefused);
    });
    return;
  }
  add("closed", [=](PoolCore& core, Time now) { return core.OnPeerClosed(now, id, end); });
  if (member.state() == MemberState::kDraining) {
    add("drained", [=](PoolCore& core, Time now) { return core.OnDrained(now, id); });
    return;
  }
  if (member.check_pending) {
    add_check(HealthResult::kServing);
    add_check(HealthResult::kNoAnswer);
    if (all) add_check(HealthResult::kNotServing);
  }
  if (member.state() == MemberState::kEjected) return;
  add("ailing",
      [=](PoolCore& core, Time now) { return core.OnFailing(now, id, FailureStreak::kAiling); });
  add("silent", [=](PoolCore& core, Time now) {
    return core.OnUnanswered(now, {{id, milliseconds(300), false}});
  });
  if (member.rotating == RotateReason::kNone) {
    add("worn", [=](PoolCore& core, Time now) { return core.OnWorn(now, id); });
  }
  if (!all) return;
  add("going away", [=](PoolCore& core, Time now) { return core.OnGoingAway(now, id, end); });
  add("erring",
      [=](PoolCore& core, Time now) { return core.OnFailing(now, id, FailureStreak::kAny); });
  add("stalled", [=](PoolCore& core, Time now) {
    return core.OnUnanswered(now, {{id, milliseconds(300), true}});
  });
}

// What may come next. `all`: also what is said by health, the scout and the user.
Steps NextSteps(const Point& point, bool all) {
  Steps steps;
  for (const auto& [id, member] : point.core.members()) AddMemberSteps(member, all, steps);
  const Time due = point.core.NextTick(point.now);
  if (due != Time::max()) {
    steps.push_back({"tick", [](PoolCore& core, Time now) { return core.OnTick(now, {}); },
                     std::max<Duration>(due - point.now, milliseconds(1))});
  }
  if (!all) return steps;
  if (point.suspended) {
    steps.push_back({"resume", [](PoolCore& core, Time now) { return core.OnResumed(now); }});
  } else {
    steps.push_back({"suspend", [](PoolCore& core, Time now) { return core.OnSuspended(now); }});
  }
  steps.push_back({"replace", [](PoolCore& core, Time now) { return core.OnReplaceAll(now); }});
  steps.push_back({"resolve a, b", [](PoolCore& core, Time now) {
                     return core.OnResolved(now, {"a", "b"});
                   }});
  steps.push_back(
      {"resolve b", [](PoolCore& core, Time now) { return core.OnResolved(now, {"b"}); }});
  const EndpointId first = point.core.endpoints().begin()->first;
  for (const HealthResult result : {HealthResult::kServing, HealthResult::kNotServing}) {
    steps.push_back({absl::StrCat("watched ", ToString(result)),
                     [=](PoolCore& core, Time now) { return core.OnWatched(now, first, result); }});
  }
  steps.push_back(
      {"scout up", [=](PoolCore& core, Time now) { return core.OnScoutUp(now, first); }});
  steps.push_back({"scout down", [=](PoolCore& core, Time now) {
                     return core.OnScoutDown(now, first, milliseconds(100));
                   }});
  return steps;
}

std::string ShutDown(Point point) {
  point.Carry(point.core.OnShutdown(point.now));
  while (!point.core.members().empty() && point.fault.empty()) {
    const Member& member = point.core.members().begin()->second;
    if (member.state() != MemberState::kDraining) return "shut down, but a member does not drain";
    point.Carry(point.core.OnDrained(point.now, member.id));
  }
  if (!point.core.endpoints().empty()) return "shut down, but an endpoint is left";
  if (point.core.NextTick(point.now) != Time::max()) return "shut down, but a tick is due";
  return point.fault;
}

class SequencesTest : public testing::Test {
 protected:
  // Goes on from `point` for `depth` events more; the path so far is in path_.
  void Explore(const Point& point, int depth, bool all) {
    for (const Step& step : NextSteps(point, all)) {
      if (HasFatalFailure()) return;
      ++points_;
      path_.push_back(step.name);
      Point next = point;
      next.now += step.after;
      next.Carry(step.event(next.core, next.now));
      if (step.name == "suspend" || step.name == "resume") next.suspended = !point.suspended;
      if (step.name == "tick" && next.core.NextTick(next.now) <= next.now) {
        next.fault = "a tick is due again at once";
      }
      if (next.fault.empty()) next.fault = ShutDown(next);
      ASSERT_EQ(next.fault, "") << "after: " << Path();
      if (depth > 1) Explore(next, depth - 1, all);
      path_.pop_back();
    }
  }
  std::string Path() const {
    std::string path;
    for (const std::string& name : path_) absl::StrAppend(&path, path.empty() ? "" : ", ", name);
    return path;
  }
  Point Start() {
    Point point;
    point.Carry(point.core.OnResolved(point.now, {"a"}));
    return point;
  }
  Point StartReady() {
    Point point = Start();
    for (uint64_t id : {2, 3}) point.Carry(point.core.OnReady(point.now, MemberId{id}, 0));
    point.now += seconds(10);
    return point;
  }

  std::vector<std::string> path_;
  int64_t points_ = 0;
};

TEST_F(SequencesTest, OfTwoMembersFromTheStartToDepth6) {
  Explore(Start(), 6, /*all=*/false);
  EXPECT_GT(points_, 1000);
  std::printf("%lld points\n", static_cast<long long>(points_));
}

TEST_F(SequencesTest, OfTwoReadyMembersToDepth6) {
  Explore(StartReady(), 6, /*all=*/false);
  EXPECT_GT(points_, 1000);
  std::printf("%lld points\n", static_cast<long long>(points_));
}

TEST_F(SequencesTest, OfEverythingToDepth4) {
  Explore(Start(), 4, /*all=*/true);
  Explore(StartReady(), 4, /*all=*/true);
  EXPECT_GT(points_, 1000);
  std::printf("%lld points\n", static_cast<long long>(points_));
}

}  // namespace
}  // namespace predial
