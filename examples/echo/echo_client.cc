// The demo client: sends --rpcs RPCs from --threads threads through one channel, serves /metrics
// meanwhile, and sums up. Exit code 0: every RPC was answered, and rightly; 1 otherwise.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/echo/load.h"
#include "examples/echo/quantile.h"
#include "examples/echo/tls.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "plugin/metrics/prometheus_observer.h"
#include "plugin/options.h"
#include "plugin/pooled_channel.h"
#include "plugin/stats.h"
#include "prometheus/exposer.h"

ABSL_FLAG(std::string, target, "", "where to, e.g. dns:///orders:50051 or ipv4:127.0.0.1:50051");
ABSL_FLAG(std::string, channel, "pooled", "pooled or plain (grpc::CreateChannel)");
ABSL_FLAG(int64_t, rpcs, 50'000, "RPCs to send");
ABSL_FLAG(int, threads, 8, "RPCs at a time");
ABSL_FLAG(double, rate, 0, "RPCs to start per second; 0 is as fast as they go");
ABSL_FLAG(std::string, kinds, "unary",
          "kinds of call, taken in turn: unary,client_stream,server_stream,bidi");
ABSL_FLAG(int, payload, 0, "bytes of padding in each request");
ABSL_FLAG(absl::Duration, timeout, absl::Seconds(10), "deadline of each RPC");
ABSL_FLAG(int, metrics_port, -1,
          "TCP port of http://127.0.0.1:PORT/metrics; 0 is any free one, -1 is no /metrics");
ABSL_FLAG(int, connections_min, 4, "PoolOptions::connections_min");
ABSL_FLAG(int, connections_max, 16, "PoolOptions::connections_max");

namespace predial {
namespace {

absl::StatusOr<LoadOptions> LoadFromFlags() {
  LoadOptions load;
  load.rpcs = absl::GetFlag(FLAGS_rpcs);
  load.threads = absl::GetFlag(FLAGS_threads);
  load.payload_bytes = absl::GetFlag(FLAGS_payload);
  load.timeout = absl::GetFlag(FLAGS_timeout);
  load.rate = absl::GetFlag(FLAGS_rate);
  absl::StatusOr<std::vector<CallKind>> kinds = ParseCallKinds(absl::GetFlag(FLAGS_kinds));
  if (!kinds.ok()) return kinds.status();
  load.kinds = *std::move(kinds);
  const absl::Status status = load.Validate();
  if (!status.ok()) return status;
  return load;
}

// Serves `observer` on --metrics_port and says where; nullptr if there is to be no /metrics.
absl::StatusOr<std::unique_ptr<prometheus::Exposer>> StartExposer(
    const std::shared_ptr<PrometheusObserver>& observer) {
  const int port = absl::GetFlag(FLAGS_metrics_port);
  if (port < -1 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("--metrics_port is ", port, "; it must be within [-1, 65535]"));
  }
  if (port == -1) return nullptr;
  std::unique_ptr<prometheus::Exposer> exposer;
  try {
    exposer = std::make_unique<prometheus::Exposer>(absl::StrCat("127.0.0.1:", port));
  } catch (const std::exception& e) {
    return absl::UnavailableError(absl::StrCat("cannot serve /metrics on 127.0.0.1:", port, ": ",
                                               e.what(), "; choose another --metrics_port"));
  }
  exposer->RegisterCollectable(observer);
  printf("metrics at http://127.0.0.1:%d/metrics\n", exposer->GetListeningPorts().at(0));
  fflush(stdout);
  return exposer;
}

void PrintLoad(const LoadResult& load) {
  int64_t errors = 0;
  for (const auto& [code, of_code] : load.errors) errors += of_code.count;
  printf("RPCs               %" PRId64 " in %.2f s\n", load.rpcs, absl::ToDoubleSeconds(load.took));
  printf("errors             %" PRId64 "\n", errors);
  for (const auto& [code, of_code] : load.errors) {
    printf("  code %-2d          %" PRId64 ", e.g. %s\n", code, of_code.count,
           of_code.example.c_str());
  }
  for (const auto& [port, count] : load.answered_by) {
    printf("answered by        port %d: %" PRId64 "\n", port, count);
  }
  printf("RPC p50, p99       %.3f ms, %.3f ms\n", Quantile(load.latencies, 0.5) / 1e6,
         Quantile(load.latencies, 0.99) / 1e6);
}

void PrintPool(const PoolStats& stats, const PrometheusObserver& observer) {
  for (const EndpointStats& endpoint : stats.endpoints) {
    printf("connections        %s: %d ready, %d connecting, %d draining\n",
           endpoint.address.c_str(), endpoint.ready, endpoint.connecting, endpoint.draining);
  }
  printf("reuse rate         %.3f %% (%" PRId64 " reused, %" PRId64 " new, %" PRId64 " anchor)\n",
         100 * stats.reuse_rate(), stats.checkouts_reused, stats.checkouts_new,
         stats.checkouts_anchor);
  const std::vector<prometheus::MetricFamily> families = observer.Collect();
  const auto microseconds = [&families](double q) {
    return 1e6 * HistogramQuantile(families, "predial_checkout_seconds", q).value_or(0);
  };
  printf("checkout p50, p99  %.2f us, %.2f us\n", microseconds(0.5), microseconds(0.99));
}

// Whether every RPC was answered; a status if it could not even begin.
absl::StatusOr<bool> Run() {
  const std::string target = absl::GetFlag(FLAGS_target);
  if (target.empty()) return absl::InvalidArgumentError("--target is missing");
  const std::string kind = absl::GetFlag(FLAGS_channel);
  if (kind != "pooled" && kind != "plain") {
    return absl::InvalidArgumentError(
        absl::StrCat("--channel is '", kind, "'; it must be pooled or plain"));
  }
  const absl::StatusOr<LoadOptions> load = LoadFromFlags();
  if (!load.ok()) return load.status();

  const absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials =
      ClientCredentialsFromFlags();
  if (!credentials.ok()) return credentials.status();

  PrometheusOptions metrics;
  metrics.endpoint_label = true;
  const std::shared_ptr<PrometheusObserver> observer = PrometheusObserver::Create(metrics);
  const absl::StatusOr<std::unique_ptr<prometheus::Exposer>> exposer = StartExposer(observer);
  if (!exposer.ok()) return exposer.status();
  PoolOptions options;
  options.connections_min = absl::GetFlag(FLAGS_connections_min);
  options.connections_max = absl::GetFlag(FLAGS_connections_max);
  options.observer = observer;

  // All that makes a pooled client differ from a plain one is the line that makes its channel.
  std::shared_ptr<grpc::ChannelInterface> channel;
  std::shared_ptr<PooledChannel> pooled;  // the same, for its Stats()
  if (kind == "plain") {
    channel = grpc::CreateChannel(target, *credentials);
  } else {
    channel = pooled = PooledChannel::Create(target, *credentials, options);
  }

  const LoadResult result = RunLoad(channel, *load);
  PrintLoad(result);
  if (pooled != nullptr) PrintPool(pooled->Stats(), *observer);
  return result.errors.empty();
}

}  // namespace
}  // namespace predial

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("sends RPCs to echo servers and sums up how they went");
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    fprintf(stderr, "echo_client: unexpected argument: %s; --help lists the flags\n", rest[1]);
    return 1;
  }
  const absl::StatusOr<bool> answered = predial::Run();
  if (!answered.ok()) {
    fprintf(stderr, "echo_client: %s\n", std::string(answered.status().message()).c_str());
    return 1;
  }
  return *answered ? 0 : 1;
}
