#include "examples/echo/quantile.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace predial {

int64_t Quantile(const std::vector<int64_t>& sorted, double q) {
  if (sorted.empty()) return 0;
  const size_t rank = static_cast<size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

std::optional<double> HistogramQuantile(const std::vector<prometheus::MetricFamily>& families,
                                        const std::string& name, double q) {
  std::vector<double> bounds;
  std::vector<double> cumulative;
  for (const prometheus::MetricFamily& family : families) {
    if (family.name != name) continue;
    for (const prometheus::ClientMetric& metric : family.metric) {
      const auto& buckets = metric.histogram.bucket;
      bounds.resize(buckets.size());
      cumulative.resize(buckets.size());
      for (size_t i = 0; i < buckets.size(); ++i) {
        bounds[i] = buckets[i].upper_bound;
        cumulative[i] += static_cast<double>(buckets[i].cumulative_count);
      }
    }
  }
  if (cumulative.empty() || cumulative.back() == 0) return std::nullopt;
  const double rank = q * cumulative.back();
  const size_t i =
      std::lower_bound(cumulative.begin(), cumulative.end() - 1, rank) - cumulative.begin();
  const double low = i == 0 ? 0 : bounds[i - 1];
  if (std::isinf(bounds[i])) return low;
  const double below = i == 0 ? 0 : cumulative[i - 1];
  const double inside = cumulative[i] - below;
  return inside == 0 ? bounds[i] : low + (bounds[i] - low) * (rank - below) / inside;
}

}  // namespace predial
