#include "plugin/metrics/pool_totals.h"

#include <algorithm>

namespace predial {
namespace {

template <typename Combine>
void ForEachCounter(PoolTotals& totals, const PoolTotals& other, Combine combine) {
  const auto each = [&combine](auto& to, const auto& from) {
    for (size_t i = 0; i < to.size(); ++i) to[i] = combine(to[i], from[i]);
  };
  each(totals.checkouts, other.checkouts);
  each(totals.dials, other.dials);
  each(totals.closed, other.closed);
  each(totals.health_checks, other.health_checks);
  each(totals.rotations, other.rotations);
  each(totals.rpcs_retried, other.rpcs_retried);
  each(totals.rpcs_lost, other.rpcs_lost);
  each(totals.rejected, other.rejected);
  totals.sockets_adopted = combine(totals.sockets_adopted, other.sockets_adopted);
  totals.dials_by_grpc = combine(totals.dials_by_grpc, other.dials_by_grpc);
  totals.checkout_waits = combine(totals.checkout_waits, other.checkout_waits);
  totals.checkout_wait_nanos = combine(totals.checkout_wait_nanos, other.checkout_wait_nanos);
  totals.ejections = combine(totals.ejections, other.ejections);
  totals.readmissions = combine(totals.readmissions, other.readmissions);
}

}  // namespace

PoolTotals PoolTotals::Of(const PoolStats& stats) {
  PoolTotals totals;
  totals.checkouts = {stats.checkouts_reused, stats.checkouts_new, stats.checkouts_anchor};
  totals.dials = stats.dials;
  totals.closed = stats.closed;
  totals.health_checks = stats.health_checks;
  totals.rotations = stats.rotations;
  totals.rpcs_retried = stats.rpcs_retried;
  totals.rpcs_lost = stats.rpcs_lost;
  totals.rejected = stats.checkouts_rejected;
  totals.sockets_adopted = stats.sockets_adopted;
  totals.dials_by_grpc = stats.dials_by_grpc;
  totals.checkout_waits = stats.checkout_waits;
  totals.checkout_wait_nanos = stats.checkout_wait_nanos;
  totals.ejections = stats.ejections;
  totals.readmissions = stats.readmissions;
  return totals;
}

void PoolTotals::Add(const PoolTotals& other) {
  ForEachCounter(*this, other, [](int64_t a, int64_t b) { return a + b; });
}

void PoolTotals::RaiseTo(const PoolTotals& other) {
  ForEachCounter(*this, other, [](int64_t a, int64_t b) { return std::max(a, b); });
}

}  // namespace predial
