// ShardedHistogram: a Prometheus histogram of durations for hot paths.
#pragma once

#include <algorithm>
#include <cstdint>

#include "plugin/core/types.h"
#include "plugin/metrics/histogram_bounds.h"
#include "plugin/metrics/sharded_counters.h"
#include "prometheus/client_metric.h"

namespace predial {

// Threads:   everything is thread-safe and lock-free; threads do not meet (see ShardedCounters).
// Ownership: refers to its bounds, which must outlive it.
// Memory:    per shard in use 8 bytes for each bound and 16 more: 192 bytes for 16 bounds.
// Exactness: each duration is counted once; the sum is of whole nanoseconds. It wraps after 584
//            years of summed durations, which PromQL's rate() and increase() take for a restart.
class ShardedHistogram {
 public:
  explicit ShardedHistogram(const HistogramBounds& bounds)
      : bounds_(bounds), counters_(bounds.size() + 2) {}

  // A negative duration counts as 0.
  void Record(Duration duration) {
    const int64_t nanoseconds = std::max<int64_t>(duration.count(), 0);
    ShardedCounters::Shard shard = counters_.Local();
    shard.Add(kSum, static_cast<uint64_t>(nanoseconds));
    shard.Add(kBuckets + bounds_.Find(nanoseconds), 1);
  }

  // What was recorded: cumulative buckets, +Inf the last. Sample count and buckets agree with each
  // other even while others record; the sum may be ahead of them by what is being recorded.
  prometheus::ClientMetric::Histogram Collect() const;

 private:
  // The counters: the sum, then a bucket for each bound, then the bucket above them all.
  static constexpr size_t kSum = 0;
  static constexpr size_t kBuckets = 1;

  const HistogramBounds& bounds_;
  ShardedCounters counters_;
};

}  // namespace predial
