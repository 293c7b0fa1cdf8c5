#include "plugin/metrics/rpc_metrics.h"

#include <atomic>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "plugin/metrics/family_reader.h"

namespace predial {
namespace {

using std::chrono::milliseconds;

constexpr char kStarted[] = "grpc_client_started_total";
constexpr char kHandled[] = "grpc_client_handled_total";
constexpr char kHandling[] = "grpc_client_handling_seconds";

Labels Of(const char* type, const std::string& service, const std::string& method) {
  return {{"grpc_type", type}, {"grpc_service", service}, {"grpc_method", method}};
}

Labels WithCode(Labels labels, const char* code) {
  labels.push_back({"grpc_code", code});
  return labels;
}

Families Collected(const RpcMetrics& metrics) {
  Families families;
  metrics.Collect(&families);
  return families;
}

TEST(RpcMetricsTest, NothingBeforeTheFirstRpc) {
  const RpcMetrics metrics({1}, 10);
  EXPECT_TRUE(Collected(metrics).empty());
}

TEST(RpcMetricsTest, CountsStartEndAndLatency) {
  RpcMetrics metrics({0.001, 0.1}, 10);
  RpcSeries* first = metrics.Start(RpcType::kUnary, "/pkg.Svc/Get");
  RpcSeries* second = metrics.Start(RpcType::kUnary, std::string("/pkg.Svc/Get"));
  EXPECT_EQ(first, second);
  first->Ended(0, milliseconds(1));
  second->Ended(14, milliseconds(50));
  metrics.Start(RpcType::kUnary, "/pkg.Svc/Get");  // stays in flight

  const Families families = Collected(metrics);
  const Labels get = Of("unary", "pkg.Svc", "Get");
  EXPECT_EQ(Value(families, kStarted, get), 3);
  EXPECT_EQ(Value(families, kHandled, WithCode(get, "OK")), 1);
  EXPECT_EQ(Value(families, kHandled, WithCode(get, "Unavailable")), 1);
  EXPECT_EQ(FindFamily(families, kHandled)->metric.size(), 2);
  const auto* handling = FindSeries(families, kHandling, get);
  ASSERT_NE(handling, nullptr);
  ASSERT_EQ(handling->histogram.bucket.size(), 3);
  EXPECT_EQ(handling->histogram.bucket[0].cumulative_count, 1);
  EXPECT_EQ(handling->histogram.bucket[1].cumulative_count, 2);
  EXPECT_EQ(handling->histogram.sample_count, 2);
  EXPECT_DOUBLE_EQ(handling->histogram.sample_sum, 0.051);
}

TEST(RpcMetricsTest, TheKindsOfOneMethodAreApart) {
  RpcMetrics metrics({1}, 10);
  const char* const names[] = {"unary", "client_stream", "server_stream", "bidi_stream"};
  for (int type = 0; type < kRpcTypes; ++type) {
    for (int i = 0; i <= type; ++i) metrics.Start(static_cast<RpcType>(type), "/s/m");
  }
  const Families families = Collected(metrics);
  for (int type = 0; type < kRpcTypes; ++type) {
    EXPECT_EQ(Value(families, kStarted, Of(names[type], "s", "m")), type + 1) << names[type];
  }
}

// Around the eight bytes at a time of the hash; and names that differ in one place only.
TEST(RpcMetricsTest, NamesOfEveryLengthAreApart) {
  RpcMetrics metrics({1}, 1000);
  for (int length = 1; length <= 40; ++length) {
    for (int at : {0, length / 2, length - 1}) {
      std::string method(static_cast<size_t>(length), 'm');
      method[static_cast<size_t>(at)] = 'x';
      metrics.Start(RpcType::kUnary, absl::StrCat("/s/", method));
      metrics.Start(RpcType::kUnary, absl::StrCat("/s/", method));
    }
  }
  const Families families = Collected(metrics);
  // Lengths 1 and 2 have one and two places to differ in.
  EXPECT_EQ(FindFamily(families, kStarted)->metric.size(), 1 + 2 + 38 * 3);
  EXPECT_EQ(Value(families, kStarted, Of("unary", "s", "x")), 6);
  EXPECT_EQ(Value(families, kStarted, Of("unary", "s", "mx")), 4);
  EXPECT_EQ(Value(families, kStarted, Of("unary", "s", "mmxmm")), 2);
}

TEST(RpcMetricsTest, EveryCodeHasTheNameThatUsersChart) {
  RpcMetrics metrics({1}, 10);
  // By the numbers of grpc::StatusCode, as grpc/status.h fixes them.
  const char* const names[] = {
      "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  RpcSeries* series = metrics.Start(RpcType::kUnary, "/s/m");
  for (int code = 0; code <= 16; ++code) {
    for (int i = 0; i <= code; ++i) series->Ended(code, milliseconds(1));
  }
  series->Ended(PoolEvents::kUnobserved, milliseconds(1));
  series->Ended(17, milliseconds(1));  // not a code: Unknown
  series->Ended(-2, milliseconds(1));
  const Families families = Collected(metrics);
  for (int code = 0; code <= 16; ++code) {
    EXPECT_EQ(Value(families, kHandled, WithCode(Of("unary", "s", "m"), names[code])),
              code + 1 + (code == 2 ? 2 : 0))
        << names[code];
  }
  EXPECT_EQ(Value(families, kHandled, WithCode(Of("unary", "s", "m"), "Unobserved")), 1);
}

TEST(RpcMetricsTest, OkIsThereFromTheStart) {
  RpcMetrics metrics({1}, 10);
  metrics.Start(RpcType::kUnary, "/s/m");
  EXPECT_EQ(Value(Collected(metrics), kHandled, WithCode(Of("unary", "s", "m"), "OK")), 0);
}

TEST(RpcMetricsTest, MalformedNamesShareUnknownAndTakeNoRoom) {
  RpcMetrics metrics({1}, 1);
  for (int i = 0; i < 100; ++i) metrics.Start(RpcType::kUnary, absl::StrCat("malformed", i));
  metrics.Start(RpcType::kUnary, "");
  metrics.Start(RpcType::kUnary, "/unknown/unknown");
  metrics.Start(RpcType::kUnary, "/s/m");
  const Families families = Collected(metrics);
  EXPECT_EQ(Value(families, kStarted, Of("unary", "unknown", "unknown")), 102);
  EXPECT_EQ(Value(families, kStarted, Of("unary", "s", "m")), 1);
  EXPECT_EQ(FindFamily(families, kStarted)->metric.size(), 2);
}

TEST(RpcMetricsTest, MethodsBeyondTheBoundAreOther) {
  constexpr int kMax = 50;
  RpcMetrics metrics({1}, kMax);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 3 * kMax; ++i) metrics.Start(RpcType::kUnary, absl::StrCat("/s/m", i));
  }
  metrics.Start(RpcType::kBidiStream, "/s/m0");
  metrics.Start(RpcType::kUnary, "/other/other");
  const Families families = Collected(metrics);
  for (int i = 0; i < kMax; ++i) {
    EXPECT_EQ(Value(families, kStarted, Of("unary", "s", absl::StrCat("m", i))), 2) << i;
  }
  EXPECT_EQ(Value(families, kStarted, Of("unary", "other", "other")), 4 * kMax + 1);
  EXPECT_EQ(Value(families, kStarted, Of("bidi_stream", "other", "other")), 1);
  EXPECT_EQ(FindFamily(families, kStarted)->metric.size(), kMax + 2);
}

TEST(RpcMetricsTest, EightThreadsLoseNothingAndMakeEachSeriesOnce) {
  constexpr int kThreads = 8;
  constexpr int kMethods = 100;
  constexpr int kRounds = 100;
  constexpr int kMax = 60;  // so that the bound is met by threads racing for it
  RpcMetrics metrics({0.001, 1}, kMax);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&metrics, t] {
      for (int round = 0; round < kRounds; ++round) {
        for (int m = 0; m < kMethods; ++m) {
          const int method = (m + t * 13) % kMethods;
          metrics.Start(RpcType::kUnary, absl::StrCat("/s/m", method))->Ended(0, milliseconds(1));
        }
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    for (const auto& metric : Collected(metrics)) EXPECT_LE(metric.metric.size(), kMax + 1);
  }
  for (std::thread& thread : threads) thread.join();
  const Families families = Collected(metrics);
  ASSERT_EQ(FindFamily(families, kStarted)->metric.size(), kMax + 1);
  double started = 0;
  for (const auto& metric : FindFamily(families, kStarted)->metric) {
    started += metric.counter.value;
    if (metric.label[1].value == "other") {
      EXPECT_EQ(metric.counter.value, (kMethods - kMax) * kThreads * kRounds);
    } else {
      EXPECT_EQ(metric.counter.value, kThreads * kRounds);
    }
  }
  EXPECT_EQ(started, kThreads * kRounds * kMethods);
  double handled = 0;
  for (const auto& metric : FindFamily(families, kHandled)->metric) handled += metric.counter.value;
  EXPECT_EQ(handled, started);
}

TEST(RpcMetricsTest, NoScrapeSeesMoreEndsThanStarts) {
  RpcMetrics metrics({1}, 10);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      do {
        metrics.Start(RpcType::kUnary, "/s/m")->Ended(0, milliseconds(1));
      } while (!stop.load());
    });
  }
  for (int i = 0; i < 300; ++i) {
    const Families families = Collected(metrics);
    const double handled = Value(families, kHandled, WithCode(Of("unary", "s", "m"), "OK"));
    EXPECT_LE(handled, Value(families, kStarted, Of("unary", "s", "m")));
  }
  stop.store(true);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace predial
