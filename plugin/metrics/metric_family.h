// Making prometheus::MetricFamily values.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "prometheus/client_metric.h"
#include "prometheus/metric_family.h"

namespace predial {

using Labels = std::vector<prometheus::ClientMetric::Label>;
using Families = std::vector<prometheus::MetricFamily>;

inline prometheus::MetricFamily MakeFamily(std::string name, prometheus::MetricType type,
                                           std::string help) {
  prometheus::MetricFamily family;
  family.name = std::move(name);
  family.help = std::move(help);
  family.type = type;
  return family;
}

// Adds a series to a family of counters or gauges.
inline void AddValue(Labels labels, double value, prometheus::MetricFamily* family) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  if (family->type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  family->metric.push_back(std::move(metric));
}

inline void AddHistogram(Labels labels, prometheus::ClientMetric::Histogram value,
                         prometheus::MetricFamily* family) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.histogram = std::move(value);
  family->metric.push_back(std::move(metric));
}

// A family without series is left out: it would be only its help text.
inline void AddFamily(prometheus::MetricFamily family, Families* families) {
  if (!family.metric.empty()) families->push_back(std::move(family));
}

}  // namespace predial
