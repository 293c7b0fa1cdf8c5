// PoolTotals: the counters of a PoolStats.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "plugin/core/types.h"
#include "plugin/stats.h"

namespace predial {

// How an RPC's checkout came out, in the order of PoolTotals::checkouts. The values of the `source`
// label of predial_checkouts_total.
inline constexpr std::array<const char*, 3> kCheckoutSources = {"reused", "new", "anchor"};

// A plain value.
struct PoolTotals {
  std::array<int64_t, kCheckoutSources.size()> checkouts = {};  // by kCheckoutSources
  std::array<int64_t, kDialResults> dials = {};                 // by DialResult
  std::array<int64_t, kCloseReasons> closed = {};               // by CloseReason
  std::array<int64_t, kHealthResults> health_checks = {};       // by HealthResult
  std::array<int64_t, kRotateReasons> rotations = {};           // by RotateReason
  std::array<int64_t, kNeverSentReasons> rpcs_retried = {};     // by NeverSent
  std::array<int64_t, kLossReasons> rpcs_lost = {};             // by LossReason
  std::array<int64_t, kRejectReasons> rejected = {};            // by RejectReason
  int64_t sockets_adopted = 0;
  int64_t dials_by_grpc = 0;
  int64_t checkout_waits = 0;
  int64_t checkout_wait_nanos = 0;
  int64_t ejections = 0;
  int64_t readmissions = 0;

  static PoolTotals Of(const PoolStats& stats);

  // Each counter grows by the other's: the totals of two pools together.
  void Add(const PoolTotals& other);

  // Each counter becomes the greater of the two: two snapshots of one pool, whichever was first.
  void RaiseTo(const PoolTotals& other);
};

}  // namespace predial
