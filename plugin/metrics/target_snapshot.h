// TargetSnapshot: all that one scrape says of one target.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugin/metrics/metric_family.h"
#include "plugin/metrics/pool_gauges.h"
#include "plugin/metrics/pool_totals.h"
#include "prometheus/client_metric.h"

namespace predial {

// A plain value.
struct TargetSnapshot {
  std::string target;  // fit for a label
  PoolTotals totals;
  std::optional<PoolGauges> gauges;  // nullopt while the target has no pool
  prometheus::ClientMetric::Histogram checkout;
  prometheus::ClientMetric::Histogram dial;
};

// Appends the predial_* families. `by_endpoint`: predial_connections gets the `endpoint` label.
void AddFamilies(const std::vector<TargetSnapshot>& snapshots, bool by_endpoint,
                 Families* families);

}  // namespace predial
