// SimulatedWorld: what Simulate() runs: the servers, the connections, the load, and the core that
// is told of them. See simulator.h for what it is for; this is how it is made.
//
// Threads: thread-compatible.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "plugin/core/pool_core.h"
#include "plugin/core/types.h"
#include "plugin/testing/simulator.h"

namespace predial {

class SimulatedWorld {
 public:
  explicit SimulatedWorld(const SimulationOptions& options);

  SimulationResult Run();

 private:
  struct Server {
    bool up = true;
    bool hangs = false;      // accepts, and is silent
    bool blackhole = false;  // nothing comes through
    bool serving = true;     // what its health service says
    Time poisoned = {};      // connections older than this fail every RPC
    Duration age_limit = Duration::max();
    uint64_t rpcs_limit = UINT64_MAX;

    bool answers() const { return up && !hangs && !blackhole; }
  };
  struct Connection {
    EndpointId endpoint;
    std::string key;
    bool prime = false;
    bool open = false;      // ready, as far as the channel pool knows
    bool draining = false;  // takes no RPCs
    bool gone = false;      // by an RPC's account
    Time opened = {};
    Time heard = {};  // the last time that anything came from the server
    uint64_t rpcs = 0;
    int64_t in_flight = 0;
    bool proved = false;
    int streak = 0;  // failures in a row
    uint64_t worn_at = UINT64_MAX;
    uint64_t rpcs_max = UINT64_MAX;
    uint64_t check = 0;  // the number of the one under way; 0: none
  };
  struct Watcher {  // an endpoint's anchor, and the scout on it
    std::string key;
    bool retired = false;
    bool up = false;
    Time up_since = {};
    Time ends = Time::max();  // by the server's age limit
    bool told_serving = true;
  };
  struct Event {
    Time when;
    const char* what;
    uint64_t id;
    Actions actions;
  };

  // --- Time.
  void At(Time when, std::function<void()> what) { queue_.emplace(when, std::move(what)); }
  void In(Duration span, std::function<void()> what) { At(now_ + span, std::move(what)); }
  void RunUntil(Time end);

  // --- The core: tells it, carries out what it orders, and checks.
  void Tell(const char* what, uint64_t id, Actions actions);
  void Tick();
  // Dials in a second, all endpoints failing.
  int64_t DialsMax() const;
  void ScheduleTick();
  void Attention();
  LoadSample Sample() const;
  void Do(const AddEndpoint& order);
  void Do(const RetireEndpoint& order);
  void Do(const RemoveEndpoint& order);
  void Do(const Connect& order);
  void Do(const Drain& order);
  void Do(const Close& order);
  void Do(const Check& order);
  void Do(const Cut& order);
  void Do(const LimitRpcs& order);
  void Do(const SetSpares& order);
  void Do(const WakeAnchor&) {}
  void Do(const WakeTargetAnchor&) {}
  void Do(const ResolveNow&) {}
  void Do(const Publish& order);
  void Do(const SetState& order) { state_ = order.state; }
  void CheckInvariants();
  std::string Ailment() const;  // empty if all is well
  void Fail(const std::string& what);

  // --- Connections and RPCs.
  Connection* Find(MemberId id);
  Connection& Known(MemberId id, const char* order);
  void OnDialed(MemberId id);
  void End(MemberId id);  // by the peer
  void PostIdle(MemberId id);
  bool Take(MemberId id);
  void StartRpc();
  void FinishRpc(MemberId id, Time deadline);
  void MissDeadline(MemberId id);
  void Look(EndpointId id);  // the watcher at its server

  // --- The world.
  void Trouble();
  void EndTrouble();
  void Crash(const std::string& key);
  void Resolve();
  void Arrive();  // the next RPC
  Duration Between(Duration low, Duration high);
  int Below(int end);  // in [0, end)
  bool Chance(double share);
  static PoolPolicy RandomPolicy(std::mt19937_64& random);

  const SimulationOptions options_;
  std::mt19937_64 random_;
  const PoolPolicy policy_;
  Time now_ = Time() + std::chrono::hours(1);
  PoolCore core_;
  std::multimap<Time, std::function<void()>> queue_;

  std::map<std::string, Server> servers_;
  std::map<MemberId, Connection> connections_;
  std::map<EndpointId, Watcher> watchers_;
  std::vector<MemberId> published_;
  size_t turn_ = 0;
  PoolState state_ = PoolState::kConnecting;
  uint64_t last_member_ = 0;
  uint64_t checks_ = 0;
  bool suspended_ = false;
  bool shut_down_ = false;
  bool troubled_ = true;
  Duration rpc_pause_ = std::chrono::milliseconds(10);
  int64_t given_ = 0;
  int64_t returned_ = 0;
  int64_t anchor_rpcs_ = 0;  // since the last tick
  int64_t anchor_in_flight_ = 0;
  Time tick_at_ = Time::max();
  Time attention_at_ = {};
  Time ticks_since_ = {};
  int ticks_ = 0;
  std::deque<Event> events_;  // the last ones
  SimulationResult result_;
};

}  // namespace predial
