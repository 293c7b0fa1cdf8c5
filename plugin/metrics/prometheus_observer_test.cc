#include "plugin/metrics/prometheus_observer.h"

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugin/metrics/family_reader.h"
#include "prometheus/text_serializer.h"

namespace predial {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;

PoolStats SomeStats() {
  PoolStats stats;
  stats.target = "dns:///orders:50051";
  EndpointStats endpoint;
  endpoint.address = "127.0.0.1:50051";
  endpoint.ready = 2;
  stats.endpoints = {endpoint};
  stats.connections_max = 16;
  stats.checkouts_reused = 41;
  stats.dials[static_cast<int>(DialResult::kRefused)] = 3;
  return stats;
}

std::string Text(const PrometheusObserver& observer) {
  return prometheus::TextSerializer().Serialize(observer.Collect());
}

TEST(PrometheusObserverTest, WritesWhatPrometheusReads) {
  PrometheusOptions options;
  options.latency_buckets = {0.001, 0.25};
  options.checkout_buckets = {1e-7, 1};
  const auto observer = PrometheusObserver::Create(options);
  const auto events = observer->OnPoolCreated("dns:///orders:50051", [] { return SomeStats(); });
  events->OnCheckout(microseconds(1));
  void* started = events->OnRpcStarted(RpcType::kUnary, "/shop.Orders/Get");
  events->OnRpcEnded(started, 5, milliseconds(2));
  events->OnDialEnded("127.0.0.1:50051", DialResult::kOk, milliseconds(3));
  events->OnDialEnded("127.0.0.1:50051", DialResult::kTimeout, milliseconds(5000));

  const std::string text = Text(*observer);
  const std::string method =
      "{grpc_type=\"unary\",grpc_service=\"shop.Orders\",grpc_method=\"Get\"";
  const std::string target = "{target=\"dns:///orders:50051\"";
  for (const std::string& line : {
           "# TYPE grpc_client_started_total counter\n" + std::string(),
           "grpc_client_started_total" + method + "} 1\n",
           "grpc_client_handled_total" + method + ",grpc_code=\"OK\"} 0\n",
           "grpc_client_handled_total" + method + ",grpc_code=\"NotFound\"} 1\n",
           "# TYPE grpc_client_handling_seconds histogram\n" + std::string(),
           "grpc_client_handling_seconds_count" + method + "} 1\n",
           "grpc_client_handling_seconds_sum" + method + "} 0.002\n",
           "grpc_client_handling_seconds_bucket" + method + ",le=\"0.001\"} 0\n",
           "grpc_client_handling_seconds_bucket" + method + ",le=\"0.25\"} 1\n",
           "grpc_client_handling_seconds_bucket" + method + ",le=\"+Inf\"} 1\n",
           "# TYPE predial_connections gauge\n" + std::string(),
           "predial_connections" + target + ",state=\"ready\"} 2\n",
           "predial_connections_max" + target + "} 16\n",
           "predial_checkouts_total" + target + ",source=\"reused\"} 41\n",
           "predial_checkout_seconds_bucket" + target + ",le=\"1e-07\"} 0\n",
           "predial_checkout_seconds_count" + target + "} 1\n",
           "predial_dials_total" + target + ",result=\"refused\"} 3\n",
           // Of the successful dial alone.
           "predial_dial_seconds_count" + target + "} 1\n",
           "predial_dial_seconds_sum" + target + "} 0.003\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(PrometheusObserverTest, OnPoolClosedKeepsTheCountersAndDropsTheGauges) {
  const auto observer = PrometheusObserver::Create();
  std::optional<PoolStats> stats = SomeStats();
  const auto events = observer->OnPoolCreated("t", [&stats] { return stats; });
  PoolStats last = SomeStats();
  last.checkouts_reused = 50;
  stats = std::nullopt;
  void* in_flight = events->OnRpcStarted(RpcType::kUnary, "/s/m");
  events->OnPoolClosed(last);
  events->OnRpcEnded(in_flight, 0, milliseconds(1));
  const std::string text = Text(*observer);
  EXPECT_THAT(text, HasSubstr("predial_checkouts_total{target=\"t\",source=\"reused\"} 50\n"));
  EXPECT_THAT(text, HasSubstr("grpc_code=\"OK\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("predial_connections{")));
}

TEST(PrometheusObserverTest, APoolWhoseEventsAreDroppedUnclosedKeepsItsCounters) {
  const auto observer = PrometheusObserver::Create();
  auto events = observer->OnPoolCreated("t", [] { return SomeStats(); });
  observer->Collect();
  events.reset();
  const std::string text = Text(*observer);
  EXPECT_THAT(text, HasSubstr("predial_checkouts_total{target=\"t\",source=\"reused\"} 41\n"));
  EXPECT_THAT(text, Not(HasSubstr("predial_connections{")));
}

TEST(PrometheusObserverTest, EventsOutliveTheObserver) {
  auto observer = PrometheusObserver::Create();
  const auto events = observer->OnPoolCreated("t", [] { return SomeStats(); });
  void* started = events->OnRpcStarted(RpcType::kUnary, "/s/m");
  observer.reset();
  events->OnCheckout(microseconds(1));
  events->OnRpcEnded(started, 0, milliseconds(1));
  events->OnRpcEnded(events->OnRpcStarted(RpcType::kUnary, "/s/n"), 0, milliseconds(1));
  events->OnPoolClosed(SomeStats());
}

TEST(PrometheusObserverTest, ObserversAreApart) {
  const auto a = PrometheusObserver::Create();
  const auto b = PrometheusObserver::Create();
  const auto of_a = a->OnPoolCreated("t", [] { return SomeStats(); });
  const auto of_b = b->OnPoolCreated("t", [] { return SomeStats(); });
  of_a->OnRpcStarted(RpcType::kUnary, "/s/m");
  EXPECT_NE(FindFamily(a->Collect(), "grpc_client_started_total"), nullptr);
  EXPECT_EQ(FindFamily(b->Collect(), "grpc_client_started_total"), nullptr);
}

TEST(PrometheusObserverTest, EightThreadsOverTwoPoolsLoseNothing) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 5000;
  const auto observer = PrometheusObserver::Create();
  const auto first = observer->OnPoolCreated("t", [] { return SomeStats(); });
  const auto second = observer->OnPoolCreated("t", [] { return SomeStats(); });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([events = t % 2 == 0 ? first.get() : second.get()] {
      for (int i = 0; i < kRounds; ++i) {
        events->OnCheckout(microseconds(1));
        events->OnRpcEnded(events->OnRpcStarted(RpcType::kUnary, "/s/m"), 0, milliseconds(1));
      }
    });
  }
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(observer->Collect().empty());
  for (std::thread& thread : threads) thread.join();
  const Families families = observer->Collect();
  const Labels method = {{"grpc_type", "unary"}, {"grpc_service", "s"}, {"grpc_method", "m"}};
  EXPECT_EQ(Value(families, "grpc_client_started_total", method), kThreads * kRounds);
  EXPECT_EQ(FindSeries(families, "grpc_client_handling_seconds", method)->histogram.sample_count,
            kThreads * kRounds);
  const auto* checkout = FindSeries(families, "predial_checkout_seconds", {{"target", "t"}});
  EXPECT_EQ(checkout->histogram.sample_count, kThreads * kRounds);
}

TEST(PrometheusObserverTest, TryCreateNamesTheFault) {
  PrometheusOptions options;
  options.methods_max = 0;
  const auto observer = PrometheusObserver::TryCreate(options);
  EXPECT_EQ(observer.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(observer.status().message()), HasSubstr("methods_max = 0"));
}

TEST(PrometheusObserverDeathTest, CreateAbortsWithTheFault) {
  PrometheusOptions options;
  options.targets_max = 0;
  EXPECT_DEATH(PrometheusObserver::Create(options), "PrometheusOptions::targets_max = 0");
}

}  // namespace
}  // namespace predial
