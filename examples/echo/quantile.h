// Quantiles of what the demo client measured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "prometheus/metric_family.h"

namespace predial {

// The smallest of `sorted` that is not less than a share `q`, within (0, 1], of them; 0 if there is
// none.
int64_t Quantile(const std::vector<int64_t>& sorted, double q);

// What PromQL's histogram_quantile() makes of the histogram `name`, its series summed: linear
// within the bucket, and the last bound if the quantile lies above it. All series must have the
// same buckets. nullopt if there is no such histogram, or nothing in it.
std::optional<double> HistogramQuantile(const std::vector<prometheus::MetricFamily>& families,
                                        const std::string& name, double q);

}  // namespace predial
