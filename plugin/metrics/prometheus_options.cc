#include "plugin/metrics/prometheus_options.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/metrics/histogram_bounds.h"

namespace predial {

absl::Status PrometheusOptions::Validate() const {
  for (const auto& [field, buckets] : {std::pair("latency_buckets", &latency_buckets),
                                       std::pair("checkout_buckets", &checkout_buckets),
                                       std::pair("dial_buckets", &dial_buckets)}) {
    absl::Status status =
        HistogramBounds::Validate(absl::StrCat("PrometheusOptions::", field), *buckets);
    if (!status.ok()) return status;
  }
  constexpr int kMax = 100000;
  for (const auto& [field, value] :
       {std::pair("endpoints_max", endpoints_max), std::pair("methods_max", methods_max),
        std::pair("targets_max", targets_max)}) {
    if (value < 1 || value > kMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("PrometheusOptions::", field, " = ", value, ": must be in [1, ", kMax, "]"));
    }
  }
  return absl::OkStatus();
}

}  // namespace predial
