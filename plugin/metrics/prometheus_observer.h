// PrometheusObserver: Prometheus metrics of pools and their RPCs. docs/metrics.md lists them all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "plugin/metrics/prometheus_options.h"
#include "plugin/observer.h"
#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace predial {

class PoolMetrics;
class RpcMetrics;

// Reports any number of pools. One for a process is enough:
//
//   auto observer = predial::PrometheusObserver::Create();
//   prometheus::Exposer exposer("0.0.0.0:9090");
//   exposer.RegisterCollectable(observer);
//   options.observer = observer;  // of each PooledChannel
//
// It is a Collectable of its own, beside the prometheus::Registry that an application may have: its
// counters are sharded, where prometheus-cpp's are contended on a hot path.
//
// Threads:   everything is thread-safe. What is called for each RPC takes no lock, and allocates
//            nothing once its method and thread were seen.
// Ownership: the exposer holds it weakly, the pools share it. What pools and RPCs in flight report
//            to stays valid when the observer is destroyed first.
// Limits:    see PrometheusOptions: methods, targets and endpoints have bounds, so memory and
//            series do.
class PrometheusObserver : public PoolObserver, public prometheus::Collectable {
 public:
  // Aborts, with TryCreate()'s message, if the options are not valid.
  static std::shared_ptr<PrometheusObserver> Create(PrometheusOptions options = {});

  // INVALID_ARGUMENT names the field of `options`, its value and its range.
  static absl::StatusOr<std::shared_ptr<PrometheusObserver>> TryCreate(PrometheusOptions options);

  ~PrometheusObserver() override;

  std::shared_ptr<PoolEvents> OnPoolCreated(const std::string& target, StatsSource stats) override;

  // Calls the pools' stats sources on the calling thread.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  explicit PrometheusObserver(const PrometheusOptions& options);

  const std::shared_ptr<RpcMetrics> rpc_metrics_;
  const std::shared_ptr<PoolMetrics> pool_metrics_;
};

}  // namespace predial
