// For tests: reading values out of collected families.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "plugin/metrics/metric_family.h"

namespace predial {

inline const prometheus::MetricFamily* FindFamily(const Families& families,
                                                  const std::string& name) {
  for (const auto& family : families) {
    if (family.name == name) return &family;
  }
  return nullptr;
}

// The series with exactly these labels, in any order; nullptr if there is none.
inline const prometheus::ClientMetric* FindSeries(const Families& families, const std::string& name,
                                                  Labels labels) {
  const prometheus::MetricFamily* family = FindFamily(families, name);
  if (family == nullptr) return nullptr;
  std::sort(labels.begin(), labels.end());
  for (const auto& metric : family->metric) {
    Labels present = metric.label;
    std::sort(present.begin(), present.end());
    if (present == labels) return &metric;
  }
  return nullptr;
}

// Its value as a counter or gauge; -1 if there is no such series.
inline double Value(const Families& families, const std::string& name, Labels labels) {
  const prometheus::ClientMetric* metric = FindSeries(families, name, std::move(labels));
  if (metric == nullptr) return -1;
  const bool counter = FindFamily(families, name)->type == prometheus::MetricType::Counter;
  return counter ? metric->counter.value : metric->gauge.value;
}

}  // namespace predial
