#include "plugin/trace_recorder.h"

#include <utility>

namespace predial {
namespace {

int64_t Rpcs(const PoolStats& stats) {
  return stats.checkouts_reused + stats.checkouts_new + stats.checkouts_anchor;
}

}  // namespace

TraceRecorder::TraceRecorder(std::shared_ptr<PooledChannel> channel)
    : channel_(std::move(channel)) {}

LoadPoint TraceRecorder::Step(const PoolStats& before, absl::Time before_time,
                              const PoolStats& after, absl::Time after_time) {
  LoadPoint point;
  point.time = after_time;
  point.in_flight = static_cast<double>(after.leases);
  point.waiting = after.checkout_waiters;
  for (const EndpointStats& endpoint : after.endpoints) point.connections += endpoint.ready;
  point.stream_limit = after.peer_max_concurrent_streams;
  const double seconds = absl::ToDoubleSeconds(after_time - before_time);
  if (!(seconds > 0) || before_time == absl::InfinitePast()) return point;
  point.rpcs_per_second = static_cast<double>(Rpcs(after) - Rpcs(before)) / seconds;
  if (point.rpcs_per_second <= 0) {
    point.rpcs_per_second = 0;
    return point;
  }
  // Where a member has gone meanwhile, its RPCs are missing.
  if (after.rpcs_measured > before.rpcs_measured &&
      after.rpcs_measured_nanos > before.rpcs_measured_nanos) {
    point.latency = absl::Nanoseconds(after.rpcs_measured_nanos - before.rpcs_measured_nanos) /
                    static_cast<int64_t>(after.rpcs_measured - before.rpcs_measured);
  } else {
    const double in_flight = static_cast<double>(before.leases + after.leases) / 2;
    point.latency = absl::Seconds(in_flight / point.rpcs_per_second);
  }
  return point;
}

void TraceRecorder::Sample() {
  const absl::Time now = absl::Now();
  if (now <= last_time_) return;
  PoolStats stats = channel_->Stats();
  if (points_.size() == kSamplesMax) points_.pop_front();
  points_.push_back(Step(last_, last_time_, stats, now));
  stats.decisions.clear();
  last_ = std::move(stats);
  last_time_ = now;
}

}  // namespace predial
