#include "plugin/metrics/pool_metrics.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "plugin/metrics/label_text.h"
#include "plugin/metrics/pool_gauges.h"
#include "plugin/metrics/target_snapshot.h"

namespace predial {

struct PoolMetrics::Target {
  Target(const HistogramBounds& checkout_bounds, const HistogramBounds& dial_bounds)
      : checkout(checkout_bounds), dial(dial_bounds) {}

  ShardedHistogram checkout;
  ShardedHistogram dial;
  // Of the pools that were closed. Guarded by PoolMetrics::mu_.
  PoolTotals retained;
};

PoolMetrics::PoolMetrics(const PrometheusOptions& options)
    : checkout_bounds_(options.checkout_buckets),
      dial_bounds_(options.dial_buckets),
      endpoint_label_(options.endpoint_label),
      endpoints_max_(static_cast<size_t>(options.endpoints_max)),
      targets_max_(static_cast<size_t>(options.targets_max)) {}

PoolMetrics::~PoolMetrics() = default;

void PoolMetrics::Pool::RecordCheckout(Duration took) { target.checkout.Record(took); }

void PoolMetrics::Pool::RecordDial(Duration took) { target.dial.Record(took); }

PoolMetrics::Target& PoolMetrics::FindOrAdd(const std::string& target) {
  std::string label = LabelText(target);
  auto found = targets_.find(label);
  if (found == targets_.end() && targets_.size() >= targets_max_) {
    label = "other";
    found = targets_.find(label);
  }
  if (found == targets_.end()) {
    auto added = std::make_unique<Target>(checkout_bounds_, dial_bounds_);
    found = targets_.emplace(std::move(label), std::move(added)).first;
  }
  return *found->second;
}

std::shared_ptr<PoolMetrics::Pool> PoolMetrics::Open(const std::string& target,
                                                     PoolObserver::StatsSource source) {
  auto shared_source = std::make_shared<const PoolObserver::StatsSource>(std::move(source));
  MutexLock lock(mu_);
  std::shared_ptr<Pool> pool(new Pool(FindOrAdd(target)));
  pool->source = std::move(shared_source);
  live_.push_back(pool);
  return pool;
}

void PoolMetrics::Close(const std::shared_ptr<Pool>& pool, const PoolStats* last) {
  // Outlives the lock: its destructor is foreign.
  std::shared_ptr<const PoolObserver::StatsSource> source;
  MutexLock lock(mu_);
  if (pool->source == nullptr) return;
  source = std::move(pool->source);
  if (last != nullptr) pool->seen.RaiseTo(PoolTotals::Of(*last));
  pool->target.retained.Add(pool->seen);
  live_.erase(std::find(live_.begin(), live_.end(), pool));
}

void PoolMetrics::Collect(Families* families) const {
  struct Answer {
    std::shared_ptr<Pool> pool;
    std::shared_ptr<const PoolObserver::StatsSource> source;
    std::optional<PoolStats> stats;
  };
  std::vector<Answer> answers;
  {
    MutexLock lock(mu_);
    for (const auto& pool : live_) answers.push_back({pool, pool->source, std::nullopt});
  }
  for (Answer& answer : answers) answer.stats = (*answer.source)();

  std::vector<TargetSnapshot> snapshots;
  std::vector<const Target*> targets;  // of the snapshots
  {
    MutexLock lock(mu_);
    std::map<const Target*, PoolGauges> gauges;
    for (const Answer& answer : answers) {
      // Closed in the meantime: already retained, with later numbers.
      if (answer.pool->source == nullptr || !answer.stats.has_value()) continue;
      answer.pool->seen.RaiseTo(PoolTotals::Of(*answer.stats));
      gauges[&answer.pool->target].Add(*answer.stats, endpoint_label_);
    }
    std::map<const Target*, PoolTotals> live_totals;
    for (const auto& pool : live_) live_totals[&pool->target].Add(pool->seen);
    for (const auto& [label, target] : targets_) {
      TargetSnapshot snapshot;
      snapshot.target = label;
      snapshot.totals = target->retained;
      snapshot.totals.Add(live_totals[target.get()]);
      if (auto found = gauges.find(target.get()); found != gauges.end()) {
        found->second.LimitEndpoints(endpoints_max_);
        found->second.LimitBackends(kBackendsMax);
        snapshot.gauges = std::move(found->second);
      }
      snapshots.push_back(std::move(snapshot));
      targets.push_back(target.get());
    }
  }
  for (size_t i = 0; i < snapshots.size(); ++i) {
    snapshots[i].checkout = targets[i]->checkout.Collect();
    snapshots[i].dial = targets[i]->dial.Collect();
  }
  AddFamilies(snapshots, endpoint_label_, families);
}

}  // namespace predial
