// PoolGauges: the present numbers of all pools of one target.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "plugin/stats.h"

namespace predial {

// The members in each of the states that the `state` label of predial_connections knows.
struct ConnectionCounts {
  int64_t ready = 0;
  int64_t connecting = 0;
  int64_t ejected = 0;
  int64_t draining = 0;

  void Add(const ConnectionCounts& other);
};

// Pools by the mode of their members, in the order of PoolGauges::modes. The values of the `mode`
// label of predial_pools.
inline constexpr std::array<const char*, 3> kPoolModes = {"fd", "managed", "managed_dialing"};

// A plain value: sums of what the pools' PoolStats say.
struct PoolGauges {
  ConnectionCounts connections;
  std::map<std::string, ConnectionCounts> endpoints;  // the same by address, as LabelText()
  std::map<std::string, int64_t> backends;  // connections by the server's name, as LabelText()
  std::array<int64_t, kPoolModes.size()> modes = {};
  int64_t connections_min = 0;
  int64_t connections_max = 0;
  int64_t connections_wanted = 0;
  int64_t spares = 0;
  int64_t leases = 0;
  int64_t checkout_waiters = 0;
  int64_t panicking = 0;  // pools that ignore health
  // The smallest that any has seen; 0 if none has seen a limit.
  int64_t peer_max_concurrent_streams = 0;
  // The shortest that any has learned; 0 if none has learned a limit.
  double proven_lifetime_seconds = 0;

  // `by_endpoint`: whether `endpoints` is wanted.
  void Add(const PoolStats& stats, bool by_endpoint);

  // Leaves `endpoints` with the first `max` addresses in order and, if there are more, "other" for
  // the sum of the rest.
  void LimitEndpoints(size_t max);
  // The same for `backends`.
  void LimitBackends(size_t max);
};

}  // namespace predial
