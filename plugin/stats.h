// PoolStats: a snapshot of one pool, for code, tests and metrics. Counters start at 0 with the pool
// and never fall.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "plugin/core/types.h"

namespace predial {

struct EndpointStats {
  std::string address;  // "127.0.0.1:50051"; a dual-stack host's two are joined by "|"
  int ready = 0;        // members that take RPCs
  int connecting = 0;   // members being dialed or set up
  int ejected = 0;      // members that health took out
  int draining = 0;     // members that finish their last RPCs
  int spares = 0;
  bool serving = true;   // what its health service last said; true if it said nothing
  int64_t rpcs = 0;      // RPCs that its members carried so far
  int failed_dials = 0;  // in a row
  // Of the last dial that failed or connection that was closed; empty once a new one is ready.
  std::string last_error;
};

// One server, by the name that it gives itself: see PoolOptions::backend_metadata.
struct BackendStats {
  std::string name;     // at most 128 bytes, whatever the server sent
  int connections = 0;  // that are up and known to lead to it
};
// Names in PoolStats::backends; the others' connections are summed up as "other".
inline constexpr size_t kBackendsMax = 64;

// One decision of the pool, for whoever asks later why a connection was taken out.
struct DecisionStats {
  absl::Time when;
  std::string what;      // "drain", "eject", "rotate", "learn", "grow", "shrink", …
  std::string endpoint;  // its address; empty if it is about the pool, or the endpoint is gone
  uint64_t member = 0;   // the connection's number in this pool; 0 if it is about the endpoint
  std::string reason;
};

struct PoolStats {
  std::string target;
  // READY, CONNECTING, … as grpc_connectivity_state names them without the prefix.
  std::string state;
  // "fd" or "managed": see PoolOptions::Mode; and why.
  std::string mode;
  std::string mode_reason;
  // In managed mode: "ok" if gRPC can be given sockets that were dialed here, else why not; how
  // many it took, and how often it dialed a member's connection by itself.
  std::string adoption;
  int64_t sockets_adopted = 0;
  int64_t dials_by_grpc = 0;

  std::vector<EndpointStats> endpoints;
  std::vector<BackendStats> backends;

  int connections_min = 0;
  int connections_max = 0;
  int connections_wanted = 0;  // by PoolOptions::sizing, within min and max
  // Why there are as many connections as there are, or will be: what was decided last about their
  // number. More of these are in `decisions`, as "grow" and "shrink".
  std::string connections_wanted_reason;
  int64_t leases = 0;  // RPCs in flight on members
  // RPCs that were answered, or missed their deadline, on members that are there now, and what they
  // took together. Only measured with SizingKind::kAdaptive or latency_outlier_factor, and of unary
  // RPCs; else 0. Falls when a member goes.
  uint64_t rpcs_measured = 0;
  int64_t rpcs_measured_nanos = 0;
  bool panic = false;  // health is being ignored: see HealthOptions::panic_threshold

  int64_t checkouts_reused = 0;  // RPCs on a connection that had carried one before
  int64_t checkouts_new = 0;     // RPCs that were the first on their connection
  // RPCs that found no ready member and took the anchor, or another ordinary channel; streams also
  // if all members were full.
  int64_t checkouts_anchor = 0;
  // reused / all; 0 before the first RPC.
  double reuse_rate() const {
    const int64_t all = checkouts_reused + checkouts_new + checkouts_anchor;
    return all == 0 ? 0 : static_cast<double>(checkouts_reused) / all;
  }

  // Of OverflowPolicy::kFailFast and kWait; see there.
  int checkout_waiters = 0;         // RPCs that wait for a place now
  int64_t checkout_waits = 0;       // that waited so far, with success or without
  int64_t checkout_wait_nanos = 0;  // how long, all together
  std::array<int64_t, kRejectReasons> checkouts_rejected = {};  // by RejectReason

  std::array<int64_t, kDialResults> dials = {};            // by DialResult
  std::array<int64_t, kCloseReasons> closed = {};          // by CloseReason
  std::array<int64_t, kHealthResults> health_checks = {};  // by HealthResult
  int64_t ejections = 0;
  int64_t readmissions = 0;

  std::array<int64_t, kRotateReasons> rotations = {};  // begun, by RotateReason
  // The shortest life that an endpoint of this target grants its connections, as far as was
  // learned: in seconds, and in RPCs. 0: unknown, or without end.
  double proven_lifetime_seconds = 0;
  uint64_t proven_lifetime_rpcs = 0;

  // Unary RPCs that were sent again, by NeverSent; RPCs that failed with their connection, by
  // LossReason.
  std::array<int64_t, kNeverSentReasons> rpcs_retried = {};
  std::array<int64_t, kLossReasons> rpcs_lost = {};

  // The last 500 decisions, the oldest first.
  std::vector<DecisionStats> decisions;

  // The smallest SETTINGS_MAX_CONCURRENT_STREAMS among the ready members; 0 if none has a limit.
  uint32_t peer_max_concurrent_streams = 0;

  // Why there is no ready member, or why the pool is smaller than it wants to be; empty if all is
  // well. Names target, endpoint and cause.
  std::string last_error;
  // What was noticed at creation, such as a descriptor limit below connections_max.
  std::vector<std::string> warnings;
};

}  // namespace predial
