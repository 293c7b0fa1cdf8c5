// Simulate: a pool's whole life in virtual time against servers that misbehave, decided by a seed.
// Thousands of lives take seconds; one that fails is replayed by its seed.
//
// What is simulated is everything around PoolCore, as ChannelPool has it: dials that succeed, fail
// and hang; RPCs, health checks and watches, scouts. Servers (1 to 3 of them) limit the age and the
// RPCs of connections, crash and come back, hang, vanish without a word, reset all streams of old
// connections, and say NOT_SERVING; the resolver's list changes; the load comes and goes; the user
// suspends, resumes and replaces connections. After `trouble` all of that ends and the world is
// well, but for the limits, which are no faults; later the pool is shut down.
//
// To try your own options:
//
//   predial::SimulationOptions options;
//   options.policy = predial::PoolPolicy();  // then change it as your PoolOptions do
//   for (options.seed = 1; options.seed <= 1000; ++options.seed) {
//     const predial::SimulationResult result = predial::Simulate(options);
//     ASSERT_EQ(result.failure, "");
//   }
//
// What has to hold after every event:
//   - the members are those that were ordered and not yet closed; each order names a known one
//   - no more than max are connected, and no more than one above it with those that are connecting;
//     draining ones are not counted
//   - what is published is connected, ready (or ejected, in panic), and not draining
//   - nothing is due at once again after it was done, and ticks are at most kTicksMax in a second,
//     beside one for each dial that the policy's backoff allows
//   - every RPC that was given a member gives it back
// After the trouble, within kRecovery: the pool is READY, all members that are wanted are
// published, and nothing is held against any endpoint. After shutdown nothing is left.
//
// Threads: thread-safe; every call has a world of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "plugin/core/pool_core.h"
#include "plugin/core/types.h"

namespace predial {

struct SimulationOptions {
  uint64_t seed = 1;
  // Default: another one for each seed. Backoff above kRecovery / 10 would not recover in time.
  std::optional<PoolPolicy> policy;
  Duration trouble = std::chrono::seconds(20);
  // What may happen in it. Limits are the servers' own and go on.
  bool crashes = true;     // with everything that makes a server unreachable or silent
  bool poison = true;      // old connections on which every RPC fails
  bool lame_ducks = true;  // NOT_SERVING for a while
  bool resolver = true;    // endpoints come and go
  bool users = true;       // suspend, resume, replace
  bool limits = true;      // ages and numbers of RPCs
  // All servers' limits; 0: as the seed has it.
  Duration age_limit = {};
  uint64_t rpcs_limit = 0;
};

struct SimulationResult {
  // Empty if all held. Otherwise what did not, the seed, and the last 50 events with the actions
  // that they led to.
  std::string failure;
  int64_t events = 0;  // of the core
  int64_t rpcs = 0;
  int64_t rpcs_on_anchor = 0;
  int64_t connects = 0;
  int64_t rotations = 0;
  // Connections that took RPCs until a server's limit ended them: what proven lifetimes prevent.
  int64_t ended_by_limit = 0;
};

inline constexpr int kTicksMax = 250;
inline constexpr Duration kRecovery = std::chrono::seconds(60);

SimulationResult Simulate(const SimulationOptions& options);

}  // namespace predial
