// PoolMetrics: what is reported of pools, by target.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "plugin/core/types.h"
#include "plugin/metrics/histogram_bounds.h"
#include "plugin/metrics/metric_family.h"
#include "plugin/metrics/pool_totals.h"
#include "plugin/metrics/prometheus_options.h"
#include "plugin/metrics/sharded_histogram.h"
#include "plugin/mutex.h"
#include "plugin/observer.h"
#include "plugin/stats.h"

namespace predial {

// The predial_* metrics. The pools of one target are summed.
//
//   Open() --> live: asked for its PoolStats at each Collect()
//                |
//              Close() --> its totals are added to the target's `retained`; its gauges are gone
//
// No counter ever falls: a pool is either live or retained, never both or neither; of a live pool
// the greatest totals seen so far count; and a pool that no longer answers, but was not closed yet,
// counts with what it answered last.
//
// Threads:   everything is thread-safe. Record*() are lock-free. The sources are called by
//            Collect() only, without a lock.
// Ownership: owns its targets, which live as long as the PoolMetrics, and shares its pools.
// Limits:    `targets_max` targets with names of their own; those beyond are target "other".
class PoolMetrics {
 private:
  struct Target;

 public:
  // One pool, from Open() to Close(), and what it records on the way.
  //
  // Ownership: refers to its PoolMetrics, which must outlive it.
  class Pool {
   public:
    void RecordCheckout(Duration took);
    void RecordDial(Duration took);

   private:
    friend class PoolMetrics;
    explicit Pool(Target& target) : target(target) {}

    Target& target;
    // All guarded by PoolMetrics::mu_; `source` is null once the pool is closed.
    std::shared_ptr<const PoolObserver::StatsSource> source;
    PoolTotals seen;
  };

  // `options` are valid.
  explicit PoolMetrics(const PrometheusOptions& options);
  ~PoolMetrics();
  PoolMetrics(const PoolMetrics&) = delete;
  PoolMetrics& operator=(const PoolMetrics&) = delete;

  std::shared_ptr<Pool> Open(const std::string& target, PoolObserver::StatsSource source);

  // `last` are the pool's last numbers; nullptr: those of its last snapshot. A second Close() of a
  // pool does nothing.
  void Close(const std::shared_ptr<Pool>& pool, const PoolStats* last);

  // Appends the families.
  void Collect(Families* families) const;

 private:
  Target& FindOrAdd(const std::string& target) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const HistogramBounds checkout_bounds_;
  const HistogramBounds dial_bounds_;
  const bool endpoint_label_;
  const size_t endpoints_max_;
  const size_t targets_max_;

  mutable Mutex mu_;
  std::map<std::string, std::unique_ptr<Target>> targets_ ABSL_GUARDED_BY(mu_);  // by label
  std::vector<std::shared_ptr<Pool>> live_ ABSL_GUARDED_BY(mu_);
};

}  // namespace predial
