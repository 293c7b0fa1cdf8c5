#include "plugin/metrics/pool_metrics.h"

#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "plugin/metrics/family_reader.h"

namespace predial {
namespace {

// A pool's numbers, in the test's hands.
struct FakePool {
  std::optional<PoolStats> stats = PoolStats();
  PoolObserver::StatsSource source() {
    return [this] { return stats; };
  }
};

Families Collected(const PoolMetrics& metrics) {
  Families families;
  metrics.Collect(&families);
  return families;
}

Labels Target(const std::string& target) { return {{"target", target}}; }

Labels With(const std::string& target, const char* label, const std::string& value) {
  return {{"target", target}, {label, value}};
}

TEST(PoolMetricsTest, NothingWithoutAPool) {
  const PoolMetrics metrics{PrometheusOptions()};
  EXPECT_TRUE(Collected(metrics).empty());
}

TEST(PoolMetricsTest, EveryNumberOfPoolStatsArrives) {
  PoolMetrics metrics{PrometheusOptions()};
  FakePool pool;
  EndpointStats one;
  one.address = "1.1.1.1:1";
  one.ready = 1;
  one.connecting = 2;
  one.ejected = 3;
  one.draining = 4;
  one.spares = 5;
  EndpointStats two = one;
  two.address = "2.2.2.2:2";
  pool.stats->endpoints = {one, two};
  pool.stats->connections_min = 6;
  pool.stats->connections_max = 30;
  pool.stats->connections_wanted = 7;
  pool.stats->mode = "managed";
  pool.stats->adoption = "ok";
  pool.stats->sockets_adopted = 17;
  pool.stats->dials_by_grpc = 18;
  pool.stats->leases = 8;
  pool.stats->panic = true;
  pool.stats->checkout_waiters = 15;
  pool.stats->checkout_waits = 16;
  pool.stats->checkout_wait_nanos = 2'500'000'000;
  for (int i = 0; i < kRejectReasons; ++i) pool.stats->checkouts_rejected[i] = 400 + i;
  pool.stats->checkouts_reused = 9;
  pool.stats->checkouts_new = 10;
  pool.stats->checkouts_anchor = 11;
  for (int i = 0; i < kDialResults; ++i) pool.stats->dials[i] = 100 + i;
  for (int i = 0; i < kCloseReasons; ++i) pool.stats->closed[i] = 200 + i;
  for (int i = 0; i < kHealthResults; ++i) pool.stats->health_checks[i] = 300 + i;
  for (int i = 0; i < kRotateReasons; ++i) pool.stats->rotations[i] = 400 + i;
  for (int i = 0; i < kNeverSentReasons; ++i) pool.stats->rpcs_retried[i] = 500 + i;
  for (int i = 0; i < kLossReasons; ++i) pool.stats->rpcs_lost[i] = 600 + i;
  pool.stats->proven_lifetime_seconds = 1.5;
  pool.stats->ejections = 12;
  pool.stats->readmissions = 13;
  pool.stats->peer_max_concurrent_streams = 14;
  const auto opened = metrics.Open("t", pool.source());

  const Families f = Collected(metrics);
  EXPECT_EQ(Value(f, "predial_connections", With("t", "state", "ready")), 2);
  EXPECT_EQ(Value(f, "predial_connections", With("t", "state", "connecting")), 4);
  EXPECT_EQ(Value(f, "predial_connections", With("t", "state", "ejected")), 6);
  EXPECT_EQ(Value(f, "predial_connections", With("t", "state", "draining")), 8);
  EXPECT_EQ(Value(f, "predial_spares", Target("t")), 10);
  EXPECT_EQ(Value(f, "predial_connections_min", Target("t")), 6);
  EXPECT_EQ(Value(f, "predial_connections_max", Target("t")), 30);
  EXPECT_EQ(Value(f, "predial_connections_wanted", Target("t")), 7);
  EXPECT_EQ(Value(f, "predial_leases", Target("t")), 8);
  EXPECT_EQ(Value(f, "predial_panic", Target("t")), 1);
  EXPECT_EQ(Value(f, "predial_pools", With("t", "mode", "fd")), 0);
  EXPECT_EQ(Value(f, "predial_pools", With("t", "mode", "managed")), 1);
  EXPECT_EQ(Value(f, "predial_pools", With("t", "mode", "managed_dialing")), 0);
  EXPECT_EQ(Value(f, "predial_sockets_adopted_total", Target("t")), 17);
  EXPECT_EQ(Value(f, "predial_grpc_dials_total", Target("t")), 18);
  EXPECT_EQ(Value(f, "predial_checkout_waiters", Target("t")), 15);
  EXPECT_EQ(Value(f, "predial_checkout_waits_total", Target("t")), 16);
  EXPECT_EQ(Value(f, "predial_checkout_wait_seconds_total", Target("t")), 2.5);
  for (int i = 0; i < kRejectReasons; ++i) {
    const char* reason = ToString(static_cast<RejectReason>(i));
    EXPECT_EQ(Value(f, "predial_checkouts_rejected_total", With("t", "reason", reason)), 400 + i);
  }
  EXPECT_EQ(Value(f, "predial_peer_max_concurrent_streams", Target("t")), 14);
  EXPECT_EQ(Value(f, "predial_checkouts_total", With("t", "source", "reused")), 9);
  EXPECT_EQ(Value(f, "predial_checkouts_total", With("t", "source", "new")), 10);
  EXPECT_EQ(Value(f, "predial_checkouts_total", With("t", "source", "anchor")), 11);
  EXPECT_EQ(Value(f, "predial_dials_total", With("t", "result", "ok")), 100);
  EXPECT_EQ(Value(f, "predial_connections_closed_total", With("t", "reason", "peer_closed")), 200);
  EXPECT_EQ(Value(f, "predial_health_checks_total", With("t", "result", "serving")), 300);
  for (int i = 0; i < kDialResults; ++i) {
    const char* result = ToString(static_cast<DialResult>(i));
    EXPECT_EQ(Value(f, "predial_dials_total", With("t", "result", result)), 100 + i);
  }
  for (int i = 0; i < kCloseReasons; ++i) {
    const char* reason = ToString(static_cast<CloseReason>(i));
    EXPECT_EQ(Value(f, "predial_connections_closed_total", With("t", "reason", reason)), 200 + i);
  }
  for (int i = 0; i < kHealthResults; ++i) {
    const char* result = ToString(static_cast<HealthResult>(i));
    EXPECT_EQ(Value(f, "predial_health_checks_total", With("t", "result", result)), 300 + i);
  }
  for (int i = 0; i < kRotateReasons; ++i) {
    const char* reason = ToString(static_cast<RotateReason>(i));
    EXPECT_EQ(Value(f, "predial_rotations_total", With("t", "reason", reason)), 400 + i);
  }
  for (int i = 0; i < kNeverSentReasons; ++i) {
    const char* reason = ToString(static_cast<NeverSent>(i));
    EXPECT_EQ(Value(f, "predial_rpcs_retried_total", With("t", "reason", reason)), 500 + i);
  }
  for (int i = 0; i < kLossReasons; ++i) {
    const char* reason = ToString(static_cast<LossReason>(i));
    EXPECT_EQ(Value(f, "predial_rpcs_lost_total", With("t", "reason", reason)), 600 + i);
  }
  EXPECT_EQ(Value(f, "predial_proven_lifetime_seconds", Target("t")), 1.5);
  EXPECT_EQ(Value(f, "predial_ejections_total", Target("t")), 12);
  EXPECT_EQ(Value(f, "predial_readmissions_total", Target("t")), 13);
}

TEST(PoolMetricsTest, RecordsCheckoutsAndDials) {
  PrometheusOptions options;
  options.checkout_buckets = {1e-6};
  options.dial_buckets = {1, 2};
  PoolMetrics metrics(options);
  FakePool fake;
  const auto pool = metrics.Open("t", fake.source());
  pool->RecordCheckout(std::chrono::microseconds(1));
  pool->RecordCheckout(std::chrono::microseconds(2));
  pool->RecordDial(std::chrono::seconds(2));
  const Families f = Collected(metrics);
  const auto* checkout = FindSeries(f, "predial_checkout_seconds", Target("t"));
  ASSERT_NE(checkout, nullptr);
  EXPECT_EQ(checkout->histogram.bucket[0].cumulative_count, 1);
  EXPECT_EQ(checkout->histogram.sample_count, 2);
  const auto* dial = FindSeries(f, "predial_dial_seconds", Target("t"));
  ASSERT_NE(dial, nullptr);
  ASSERT_EQ(dial->histogram.bucket.size(), 3);
  EXPECT_EQ(dial->histogram.bucket[0].cumulative_count, 0);
  EXPECT_EQ(dial->histogram.bucket[1].cumulative_count, 1);
}

TEST(PoolMetricsTest, PoolsOfOneTargetAreSummedAndTargetsKeptApart) {
  PoolMetrics metrics{PrometheusOptions()};
  FakePool a, b, c;
  a.stats->connections_max = 10;
  a.stats->checkouts_new = 1;
  a.stats->peer_max_concurrent_streams = 100;
  b.stats->connections_max = 20;
  b.stats->checkouts_new = 2;
  b.stats->peer_max_concurrent_streams = 50;
  c.stats->connections_max = 40;
  c.stats->checkouts_new = 4;
  const auto pa = metrics.Open("t", a.source());
  const auto pb = metrics.Open("t", b.source());
  const auto pc = metrics.Open("u", c.source());
  const Families f = Collected(metrics);
  EXPECT_EQ(Value(f, "predial_connections_max", Target("t")), 30);
  EXPECT_EQ(Value(f, "predial_connections_max", Target("u")), 40);
  EXPECT_EQ(Value(f, "predial_checkouts_total", With("t", "source", "new")), 3);
  EXPECT_EQ(Value(f, "predial_checkouts_total", With("u", "source", "new")), 4);
  EXPECT_EQ(Value(f, "predial_peer_max_concurrent_streams", Target("t")), 50);
  EXPECT_EQ(FindSeries(f, "predial_peer_max_concurrent_streams", Target("u")), nullptr);
}

TEST(PoolMetricsTest, ACloseFoldsTheCountersAndDropsTheGauges) {
  PoolMetrics metrics{PrometheusOptions()};
  FakePool a, b;
  a.stats->checkouts_reused = 5;
  a.stats->connections_max = 8;
  const auto pa = metrics.Open("t", a.source());
  EXPECT_EQ(Value(Collected(metrics), "predial_checkouts_total", With("t", "source", "reused")), 5);

  PoolStats last = *a.stats;
  last.checkouts_reused = 7;
  a.stats = std::nullopt;
  metrics.Close(pa, &last);
  metrics.Close(pa, &last);  // the second one does nothing
  Families f = Collected(metrics);
  EXPECT_EQ(Value(f, "predial_checkouts_total", With("t", "source", "reused")), 7);
  EXPECT_EQ(FindFamily(f, "predial_connections_max"), nullptr);
  EXPECT_EQ(FindFamily(f, "predial_connections"), nullptr);

  b.stats->checkouts_reused = 1;
  b.stats->connections_max = 9;
  const auto pb = metrics.Open("t", b.source());
  f = Collected(metrics);
  EXPECT_EQ(Value(f, "predial_checkouts_total", With("t", "source", "reused")), 8);
  EXPECT_EQ(Value(f, "predial_connections_max", Target("t")), 9);
}

TEST(PoolMetricsTest, APoolThatNoLongerAnswersCountsWithItsLastAnswer) {
  PoolMetrics metrics{PrometheusOptions()};
  FakePool pool;
  pool.stats->ejections = 3;
  const auto opened = metrics.Open("t", pool.source());
  Collected(metrics);
  pool.stats = std::nullopt;
  const Families f = Collected(metrics);
  EXPECT_EQ(Value(f, "predial_ejections_total", Target("t")), 3);
  EXPECT_EQ(FindFamily(f, "predial_leases"), nullptr);
  metrics.Close(opened, nullptr);
  EXPECT_EQ(Value(Collected(metrics), "predial_ejections_total", Target("t")), 3);
}

TEST(PoolMetricsTest, AnOlderSnapshotLowersNothing) {
  PoolMetrics metrics{PrometheusOptions()};
  FakePool pool;
  pool.stats->readmissions = 5;
  const auto opened = metrics.Open("t", pool.source());
  Collected(metrics);
  pool.stats->readmissions = 4;
  EXPECT_EQ(Value(Collected(metrics), "predial_readmissions_total", Target("t")), 5);
}

// The pool closes after Collect() asked it, and before Collect() sums up: it must count once.
TEST(PoolMetricsTest, ACloseInTheMiddleOfACollectCountsOnce) {
  PoolMetrics metrics{PrometheusOptions()};
  std::shared_ptr<PoolMetrics::Pool> pool;
  bool closed = false;
  pool = metrics.Open("t", [&]() -> std::optional<PoolStats> {
    PoolStats stats;
    stats.ejections = 3;
    if (!closed) {
      PoolStats last = stats;
      last.ejections = 4;
      metrics.Close(pool, &last);  // no lock is held while a source is called
      closed = true;
    }
    return stats;
  });
  const Families f = Collected(metrics);
  EXPECT_TRUE(closed);
  EXPECT_EQ(Value(f, "predial_ejections_total", Target("t")), 4);
  EXPECT_EQ(FindFamily(f, "predial_leases"), nullptr);
}

TEST(PoolMetricsTest, TargetsBeyondTheBoundAreOther) {
  PrometheusOptions options;
  options.targets_max = 2;
  PoolMetrics metrics(options);
  FakePool fakes[5];
  std::vector<std::shared_ptr<PoolMetrics::Pool>> pools;
  for (int i = 0; i < 5; ++i) {
    fakes[i].stats->leases = 1 << i;
    pools.push_back(metrics.Open(absl::StrCat("t", i), fakes[i].source()));
  }
  FakePool again;
  again.stats->leases = 1 << 5;
  pools.push_back(metrics.Open("t0", again.source()));
  const Families f = Collected(metrics);
  EXPECT_EQ(Value(f, "predial_leases", Target("t0")), 1 + (1 << 5));
  EXPECT_EQ(Value(f, "predial_leases", Target("t1")), 2);
  EXPECT_EQ(Value(f, "predial_leases", Target("other")), 4 + 8 + 16);
  EXPECT_EQ(FindFamily(f, "predial_leases")->metric.size(), 3);
}

TEST(PoolMetricsTest, TargetsThatAreNoTextAreMadeOne) {
  PoolMetrics metrics{PrometheusOptions()};
  FakePool a, b;
  a.stats->leases = 1;
  b.stats->leases = 2;
  const auto pa = metrics.Open("t\xff", a.source());
  const auto pb = metrics.Open("t\xfe", b.source());
  const Families f = Collected(metrics);
  EXPECT_EQ(Value(f, "predial_leases", Target("t?")), 3);
  EXPECT_EQ(FindFamily(f, "predial_leases")->metric.size(), 1);
}

TEST(PoolMetricsTest, TheEndpointLabelIsBounded) {
  PrometheusOptions options;
  options.endpoint_label = true;
  options.endpoints_max = 2;
  PoolMetrics metrics(options);
  FakePool a, b;
  for (int i = 0; i < 4; ++i) {
    EndpointStats endpoint;
    endpoint.address = absl::StrCat("10.0.0.", i, ":1");
    endpoint.ready = 1 << i;
    a.stats->endpoints.push_back(endpoint);
  }
  b.stats->endpoints = {a.stats->endpoints[0]};
  const auto pa = metrics.Open("t", a.source());
  const auto pb = metrics.Open("t", b.source());
  const Families f = Collected(metrics);
  const auto ready = [&f](const std::string& endpoint) {
    return Value(f, "predial_connections",
                 {{"target", "t"}, {"endpoint", endpoint}, {"state", "ready"}});
  };
  EXPECT_EQ(ready("10.0.0.0:1"), 2);
  EXPECT_EQ(ready("10.0.0.1:1"), 2);
  EXPECT_EQ(ready("other"), 4 + 8);
  EXPECT_EQ(FindFamily(f, "predial_connections")->metric.size(), 3 * 4);
}

TEST(PoolMetricsTest, BackendsAreSummedAndBounded) {
  PoolMetrics metrics{PrometheusOptions()};
  FakePool a, b;
  for (size_t i = 0; i < kBackendsMax; ++i) {
    a.stats->backends.push_back({absl::StrCat("pod-", 100 + i), 1});
  }
  a.stats->backends.push_back({"other", 5});
  b.stats->backends = {{"pod-100", 2}, {"pod-\xff", 3}};
  const auto pa = metrics.Open("t", a.source());
  const auto pb = metrics.Open("t", b.source());
  const Families f = Collected(metrics);
  const auto connections = [&f](const std::string& backend) {
    return Value(f, "predial_backend_connections", With("t", "backend", backend));
  };
  EXPECT_EQ(connections("pod-100"), 3);
  EXPECT_EQ(connections("pod-162"), 1);
  EXPECT_EQ(connections("pod-163"), -1);
  EXPECT_EQ(connections("other"), 5 + 1 + 3);
  const auto& series = FindFamily(f, "predial_backend_connections")->metric;
  EXPECT_LE(series.size(), kBackendsMax + 1);
  double total = 0;
  for (const auto& one : series) total += one.gauge.value;
  EXPECT_EQ(total, kBackendsMax + 5 + 5);
}

TEST(PoolMetricsTest, NoCounterFallsWhilePoolsComeAndGo) {
  PoolMetrics metrics{PrometheusOptions()};
  constexpr int kPools = 200;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&metrics] {
      for (int i = 0; i < kPools; ++i) {
        PoolStats stats;
        stats.ejections = 10;
        const auto pool = metrics.Open("t", [stats] { return stats; });
        pool->RecordCheckout(std::chrono::microseconds(1));
        metrics.Close(pool, &stats);
      }
    });
  }
  double before = 0;
  for (int i = 0; i < 200; ++i) {
    const double now = Value(Collected(metrics), "predial_ejections_total", Target("t"));
    if (now < 0) continue;  // no pool yet
    EXPECT_GE(now, before);
    before = now;
  }
  for (std::thread& thread : threads) thread.join();
  const Families f = Collected(metrics);
  EXPECT_EQ(Value(f, "predial_ejections_total", Target("t")), 3 * kPools * 10);
  EXPECT_EQ(FindSeries(f, "predial_checkout_seconds", Target("t"))->histogram.sample_count,
            3 * kPools);
}

}  // namespace
}  // namespace predial
