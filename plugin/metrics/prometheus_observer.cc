#include "plugin/metrics/prometheus_observer.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "plugin/metrics/metric_family.h"
#include "plugin/metrics/pool_metrics.h"
#include "plugin/metrics/rpc_metrics.h"

namespace predial {
namespace {

// Shares what it writes to, not the observer: an RPC may outlive that.
class PrometheusEvents final : public PoolEvents {
 public:
  PrometheusEvents(std::shared_ptr<RpcMetrics> rpc_metrics,
                   std::shared_ptr<PoolMetrics> pool_metrics,
                   std::shared_ptr<PoolMetrics::Pool> pool)
      : rpc_metrics_(std::move(rpc_metrics)),
        pool_metrics_(std::move(pool_metrics)),
        pool_(std::move(pool)) {}

  // A pool that ended without OnPoolClosed() ends here.
  ~PrometheusEvents() override { pool_metrics_->Close(pool_, nullptr); }

  void OnCheckout(Duration took) override { pool_->RecordCheckout(took); }

  void* OnRpcStarted(RpcType type, absl::string_view method) override {
    return rpc_metrics_->Start(type, method);
  }

  void OnRpcEnded(void* started, int code, Duration took) override {
    static_cast<RpcSeries*>(started)->Ended(code, took);
  }

  void OnDialEnded(absl::string_view /*endpoint*/, DialResult result, Duration took) override {
    if (result == DialResult::kOk) pool_->RecordDial(took);
  }

  void OnPoolClosed(const PoolStats& last) override { pool_metrics_->Close(pool_, &last); }

 private:
  const std::shared_ptr<RpcMetrics> rpc_metrics_;
  const std::shared_ptr<PoolMetrics> pool_metrics_;
  const std::shared_ptr<PoolMetrics::Pool> pool_;
};

}  // namespace

std::shared_ptr<PrometheusObserver> PrometheusObserver::Create(PrometheusOptions options) {
  auto observer = TryCreate(std::move(options));
  if (!observer.ok()) {
    std::fprintf(stderr, "PrometheusObserver::Create: %s\n", observer.status().ToString().c_str());
    std::abort();
  }
  return *std::move(observer);
}

absl::StatusOr<std::shared_ptr<PrometheusObserver>> PrometheusObserver::TryCreate(
    PrometheusOptions options) {
  absl::Status status = options.Validate();
  if (!status.ok()) return status;
  return std::shared_ptr<PrometheusObserver>(new PrometheusObserver(options));
}

PrometheusObserver::PrometheusObserver(const PrometheusOptions& options)
    : rpc_metrics_(std::make_shared<RpcMetrics>(options.latency_buckets, options.methods_max)),
      pool_metrics_(std::make_shared<PoolMetrics>(options)) {}

PrometheusObserver::~PrometheusObserver() = default;

std::shared_ptr<PoolEvents> PrometheusObserver::OnPoolCreated(const std::string& target,
                                                              StatsSource stats) {
  return std::make_shared<PrometheusEvents>(rpc_metrics_, pool_metrics_,
                                            pool_metrics_->Open(target, std::move(stats)));
}

std::vector<prometheus::MetricFamily> PrometheusObserver::Collect() const {
  Families families;
  rpc_metrics_->Collect(&families);
  pool_metrics_->Collect(&families);
  return families;
}

}  // namespace predial
