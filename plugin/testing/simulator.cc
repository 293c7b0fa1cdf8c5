// The load and the trouble. What the core makes of it is in simulated_world.cc.
#include "plugin/testing/simulator.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/testing/simulated_world.h"

namespace predial {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr int kFailuresMax = 5;  // in a row, until they are told of
constexpr Duration kDeadline = milliseconds(300);
const char* const kKeys[] = {"a", "b", "c"};

uint64_t Number(MemberId id) { return static_cast<uint64_t>(id); }
uint64_t Number(EndpointId id) { return static_cast<uint64_t>(id); }

}  // namespace

SimulatedWorld::SimulatedWorld(const SimulationOptions& options)
    : options_(options),
      random_(options.seed),
      policy_(options.policy ? *options.policy : RandomPolicy(random_)),
      core_(policy_, options.seed, now_),
      ticks_since_(now_) {
  for (const char* key : kKeys) {
    Server& server = servers_[key];
    if (!options.limits) continue;
    if (Chance(0.4)) server.age_limit = Between(milliseconds(300), seconds(30));
    if (Chance(0.3)) server.rpcs_limit = 20 + Below(1000);
    if (options.age_limit > Duration(0)) server.age_limit = options.age_limit;
    if (options.rpcs_limit > 0) server.rpcs_limit = options.rpcs_limit;
  }
}

Duration SimulatedWorld::Between(Duration low, Duration high) {
  return low + Duration(static_cast<int64_t>(random_() % ((high - low).count() + 1)));
}
int SimulatedWorld::Below(int end) { return static_cast<int>(random_() % end); }
bool SimulatedWorld::Chance(double share) {
  return static_cast<double>(random_() % 1000000) < share * 1000000;
}

PoolPolicy SimulatedWorld::RandomPolicy(std::mt19937_64& random) {
  const auto below = [&](int end) { return static_cast<int>(random() % end); };
  PoolPolicy policy;
  policy.sizing.max = 1 + below(8);
  policy.sizing.min = 1 + below(policy.sizing.max);
  policy.sizing.streams_target = 1 + below(10);
  if (below(2) == 0) policy.sizing.parallel_max = 1 + below(6);
  if (below(2) == 0) policy.sizing.callers_max = 1 + below(6);
  policy.sizing.idle_timeout = milliseconds(100 + below(10000));
  policy.backoff.initial = milliseconds(10 + below(1000));
  policy.backoff.max = policy.backoff.initial * (1 + below(4));
  policy.backoff.under_demand = milliseconds(10 + below(500));
  policy.health.enabled = below(4) > 0;
  policy.health.interval = milliseconds(1000 + below(5000));
  policy.health.panic_threshold = below(3) * 0.5;
  policy.lifetime.proven = below(5) > 0;
  if (below(4) == 0) policy.lifetime.age_max = milliseconds(500 + below(10000));
  if (below(4) == 0) policy.lifetime.rpcs_max = 10 + below(200);
  if (below(2) == 0) policy.drain_timeout = milliseconds(below(3000));
  policy.slow_start = milliseconds(below(3) * 500);
  policy.spares = below(3);
  policy.dials_max = 1 + below(8);
  return policy;
}

SimulationResult SimulatedWorld::Run() {
  Resolve();
  Arrive();
  const Time end = now_ + options_.trouble;
  while (now_ < end && result_.failure.empty()) {
    RunUntil(std::min(end, now_ + Between(milliseconds(1), seconds(2))));
    Trouble();
  }
  if (result_.failure.empty()) EndTrouble();
  const Time recovered = now_ + kRecovery;
  for (std::string ailment; result_.failure.empty() && !(ailment = Ailment()).empty();) {
    if (now_ >= recovered) Fail(absl::StrCat("the world is well, but the pool is not: ", ailment));
    RunUntil(now_ + milliseconds(20));
  }
  RunUntil(now_ + seconds(5));
  if (!result_.failure.empty()) return result_;
  shut_down_ = true;
  Tell("shutdown", 0, core_.OnShutdown(now_));
  RunUntil(now_ + seconds(10));
  if (!connections_.empty() || !core_.members().empty()) Fail("members are left");
  if (!core_.endpoints().empty() || !watchers_.empty()) Fail("endpoints are left");
  if (given_ != returned_ || anchor_in_flight_ != 0) Fail("RPCs are left");
  if (core_.NextTick(now_) != Time::max()) Fail("ticks are left");
  for (const int64_t rotations : core_.rotations()) result_.rotations += rotations;
  return result_;
}

void SimulatedWorld::Resolve() {
  std::vector<std::string> keys;
  for (const char* key : kKeys) {
    if (Chance(0.6)) keys.push_back(key);
  }
  if (keys.empty()) keys.push_back(kKeys[Below(3)]);
  Tell("resolved", keys.size(), core_.OnResolved(now_, keys));
}

void SimulatedWorld::Arrive() {
  if (shut_down_) return;
  StartRpc();
  In(Between(Duration(1), 2 * rpc_pause_), [this] { Arrive(); });
}

bool SimulatedWorld::Take(MemberId id) {
  Connection* connection = Find(id);
  if (connection == nullptr || connection->draining || connection->gone) return false;
  if (connection->rpcs >= connection->rpcs_max) return false;
  ++connection->rpcs;
  ++connection->in_flight;
  if (connection->rpcs == connection->worn_at) {
    In(Duration(0), [this, id] { Tell("worn", Number(id), core_.OnWorn(now_, id)); });
  } else if (connection->rpcs > connection->worn_at) {  // it was past when the limit came
    connection->worn_at = UINT64_MAX;
    In(Duration(0), [this, id] { Tell("worn", Number(id), core_.OnWorn(now_, id)); });
  }
  if (!core_.active() || connection->in_flight > core_.streams_per_member()) Attention();
  return true;
}

void SimulatedWorld::StartRpc() {
  ++result_.rpcs;
  const Duration takes = Chance(0.02) ? Between(milliseconds(100), seconds(2))
                                      : Between(milliseconds(1), milliseconds(30));
  const std::vector<MemberId> list = published_;
  for (size_t tried = 0; tried < list.size(); ++tried) {
    const MemberId id = list[(turn_ + tried) % list.size()];
    if (!Take(id)) continue;
    ++turn_;
    ++given_;
    const Time deadline = now_ + std::max(kDeadline, takes);
    In(takes, [this, id, deadline] { FinishRpc(id, deadline); });
    return;
  }
  ++result_.rpcs_on_anchor;
  if (suspended_) return;  // it fails at once
  ++anchor_rpcs_;
  ++anchor_in_flight_;
  In(takes, [this] { --anchor_in_flight_; });
  Attention();
}

void SimulatedWorld::FinishRpc(MemberId id, Time deadline) {
  Connection* connection = Find(id);
  if (connection == nullptr) {  // closed under it
    ++returned_;
    return;
  }
  Server& server = servers_.at(connection->key);
  const bool silent = !server.answers();
  if (silent && now_ < deadline)
    return At(deadline, [this, id, deadline] { FinishRpc(id, deadline); });
  ++returned_;
  --connection->in_flight;
  if (connection->draining && connection->in_flight == 0) PostIdle(id);
  if (silent) {
    ++connection->streak;
    return MissDeadline(id);
  }
  connection->heard = now_;
  connection->proved = true;
  if (connection->opened < server.poisoned) {
    if (++connection->streak % kFailuresMax == 0) {
      In(Duration(0), [this, id] {
        Tell("ailing", Number(id), core_.OnFailing(now_, id, FailureStreak::kAiling));
      });
    }
    return;
  }
  if (Chance(0.05)) {  // NOT_FOUND, or the like
    if (++connection->streak % 20 == 0) {
      Tell("erring", Number(id), core_.OnFailing(now_, id, FailureStreak::kAny));
    }
    return;
  }
  connection->streak = 0;
  if (connection->rpcs < server.rpcs_limit || connection->gone) return;
  connection->gone = true;
  if (!connection->draining) ++result_.ended_by_limit;
  const ConnectionEnd end = {connection->proved, connection->rpcs, connection->in_flight};
  Tell("going away", Number(id), core_.OnGoingAway(now_, id, end));
  In(milliseconds(5), [this, id] { End(id); });
}

void SimulatedWorld::MissDeadline(MemberId id) {
  const Connection& missed = *Find(id);
  std::vector<Silence> silences;
  for (const auto& [other, connection] : connections_) {
    if (connection.endpoint != missed.endpoint || !connection.open) continue;
    if (other != id && connection.in_flight == 0) continue;
    const bool stalled = servers_.at(connection.key).blackhole;
    silences.push_back({other, now_ - connection.heard, stalled});
  }
  Tell("unanswered", Number(id), core_.OnUnanswered(now_, silences));
}

void SimulatedWorld::Look(EndpointId id) {
  const auto found = watchers_.find(id);
  if (found == watchers_.end() || found->second.retired) return;
  Watcher& watcher = found->second;
  const Server& server = servers_.at(watcher.key);
  Duration next = milliseconds(100);
  const bool ends = !server.up || now_ >= watcher.ends;
  if (suspended_) {
    watcher.up = false;
  } else if (watcher.up && ends) {
    watcher.up = false;
    if (policy_.lifetime.proven) {
      const Duration age = std::min(now_, watcher.ends) - watcher.up_since;
      Tell("scout down", Number(id), core_.OnScoutDown(now_, id, age));
    }
  } else if (!watcher.up && server.answers()) {
    watcher.up = true;
    watcher.up_since = now_;
    watcher.ends = server.age_limit == Duration::max()
                       ? Time::max()
                       : now_ + server.age_limit * (90 + Below(21)) / 100;
    if (policy_.lifetime.proven) Tell("scout up", Number(id), core_.OnScoutUp(now_, id));
  } else if (watcher.up) {
    next = std::clamp<Duration>((now_ - watcher.up_since) / 16, milliseconds(20), seconds(1));
    if (server.answers() && watcher.told_serving != server.serving) {
      watcher.told_serving = server.serving;
      Tell("watched", Number(id),
           core_.OnWatched(now_, id,
                           server.serving ? HealthResult::kServing : HealthResult::kNotServing));
    }
  }
  In(next, [this, id] { Look(id); });
}

void SimulatedWorld::Crash(const std::string& key) {
  servers_.at(key).up = false;
  for (const auto& [id, connection] : connections_) {
    if (connection.key == key)
      In(Between(Duration(0), milliseconds(5)), [this, id = id] { End(id); });
  }
  In(Between(milliseconds(1), seconds(5)), [this, key] { servers_.at(key).up = true; });
}

void SimulatedWorld::Trouble() {
  if (!result_.failure.empty()) return;
  const std::string key = kKeys[Below(3)];
  Server& server = servers_.at(key);
  const Duration span = Between(milliseconds(10), seconds(8));
  switch (Below(12)) {
    case 0:
    case 1:
      if (options_.crashes) Crash(key);
      break;
    case 2:
      if (!options_.crashes) break;
      server.hangs = true;
      In(span, [&server] { server.hangs = false; });
      break;
    case 3:
      if (!options_.crashes) break;
      server.blackhole = true;
      In(span, [&server] { server.blackhole = false; });
      break;
    case 4:
      if (options_.poison) server.poisoned = now_ + (Chance(0.2) ? span : Duration(0));
      break;
    case 5:
      if (!options_.lame_ducks) break;
      server.serving = false;
      In(span, [&server] { server.serving = true; });
      break;
    case 6:
      if (options_.resolver) Resolve();
      break;
    case 7:
      if (options_.resolver) Tell("resolve failed", 0, core_.OnResolveFailed(now_));
      break;
    case 8:
      if (options_.users) Tell("replace all", 0, core_.OnReplaceAll(now_));
      break;
    case 9:
      if (!options_.users) break;
      suspended_ = !suspended_;
      Tell(suspended_ ? "suspended" : "resumed", 0,
           suspended_ ? core_.OnSuspended(now_) : core_.OnResumed(now_));
      break;
    default:
      rpc_pause_ = Chance(0.2) ? Between(milliseconds(1), milliseconds(5))
                               : Between(milliseconds(5), milliseconds(1000));
  }
}

void SimulatedWorld::EndTrouble() {
  troubled_ = false;
  for (auto& [key, server] : servers_) {
    server.up = server.serving = true;
    server.hangs = server.blackhole = false;
    server.poisoned = std::min(server.poisoned, now_);
  }
  rpc_pause_ = milliseconds(20);
  if (std::exchange(suspended_, false)) Tell("resumed", 0, core_.OnResumed(now_));
}

SimulationResult Simulate(const SimulationOptions& options) {
  return SimulatedWorld(options).Run();
}

}  // namespace predial
