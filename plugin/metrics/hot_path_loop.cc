// Runs what a PrometheusObserver does for each RPC, to count its instructions:
//
//   bazel build -c opt --config=system //plugin/metrics:hot_path_loop
//   cd bazel-bin/plugin/metrics
//   valgrind --tool=callgrind --toggle-collect='*PrometheusEvents::On*' ./hot_path_loop 100000
//
// "Collected", divided by the number of RPCs, is OnCheckout() + OnRpcStarted() + OnRpcEnded().

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "plugin/metrics/prometheus_observer.h"

int main(int argc, char** argv) {
  const int rpcs = argc == 2 ? std::atoi(argv[1]) : 0;
  if (rpcs <= 0) {
    std::fprintf(stderr, "usage: hot_path_loop <number of RPCs>\n");
    return 1;
  }
  const auto observer = predial::PrometheusObserver::Create();
  const std::shared_ptr<predial::PoolEvents> events =
      observer->OnPoolCreated("dns:///orders:50051", [] { return predial::PoolStats(); });
  const char* const methods[] = {"/shop.orders.v1.OrderService/GetOrder",
                                 "/shop.orders.v1.OrderService/ListOrders",
                                 "/shop.orders.v1.OrderService/CreateOrder"};
  for (int i = 0; i < rpcs; ++i) {
    events->OnCheckout(std::chrono::nanoseconds(200 + i % 1000));
    void* started = events->OnRpcStarted(predial::RpcType::kUnary, methods[i % 3]);
    events->OnRpcEnded(started, 0, std::chrono::microseconds(50 + i % 3000));
  }
  return observer->Collect().empty() ? 1 : 0;
}
