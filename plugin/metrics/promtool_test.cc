// Pipes the serialized metrics through `promtool check metrics`, which parses and lints them.

#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugin/metrics/prometheus_observer.h"
#include "prometheus/text_serializer.h"

namespace predial {
namespace {

struct Verdict {
  int exit_code = -1;
  std::string output;  // stdout and stderr
};

// What promtool says to `text`.
Verdict Check(const std::string& text) {
  const std::string path = ::testing::TempDir() + "/metrics.txt";
  std::ofstream(path, std::ios::binary) << text;
  const std::string command = "promtool check metrics < '" + path + "' 2>&1";
  Verdict verdict;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return verdict;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    verdict.output.append(buffer, n);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) verdict.exit_code = WEXITSTATUS(status);
  return verdict;
}

class PromtoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(std::system("command -v promtool > /dev/null"), 0)
        << "promtool is not on PATH. Install it: on Debian, the package prometheus has it.";
  }
};

PoolStats FullStats() {
  PoolStats stats;
  EndpointStats endpoint;
  endpoint.address = "unix-abstract:\x01quoted \"name\" \\";
  endpoint.ready = 1;
  stats.endpoints = {endpoint};
  stats.backends = {{"pod \"1\" \\ \n \xff", 2}, {"other", 1}};
  stats.peer_max_concurrent_streams = 100;
  return stats;
}

// Every metric there is, with texts that need escaping.
std::string EveryMetric(bool endpoint_label) {
  PrometheusOptions options;
  options.endpoint_label = endpoint_label;
  options.methods_max = 2;
  options.targets_max = 2;
  const auto observer = PrometheusObserver::Create(options);
  std::string text;
  for (const char* target : {"dns:///orders:50051", "t \"quoted\" \\ \n \xff", "third"}) {
    const auto events = observer->OnPoolCreated(target, [] { return FullStats(); });
    events->OnCheckout(std::chrono::microseconds(1));
    events->OnDialEnded("e", DialResult::kOk, std::chrono::milliseconds(1));
    for (const char* method : {"/s/a", "/s/\"b\"\\", "/s/c", "/s/\xff\n", "malformed"}) {
      for (int type = 0; type < kRpcTypes; ++type) {
        for (int code = PoolEvents::kUnobserved; code <= 16; ++code) {
          events->OnRpcEnded(events->OnRpcStarted(static_cast<RpcType>(type), method), code,
                             std::chrono::milliseconds(1));
        }
      }
    }
    text = prometheus::TextSerializer().Serialize(observer->Collect());
  }
  return text;
}

TEST_F(PromtoolTest, EveryMetricPasses) {
  for (bool endpoint_label : {false, true}) {
    const std::string text = EveryMetric(endpoint_label);
    ASSERT_THAT(text, ::testing::HasSubstr("# TYPE predial_connections gauge"));
    ASSERT_THAT(text, ::testing::HasSubstr("grpc_service=\"other\""));
    const Verdict verdict = Check(text);
    EXPECT_EQ(verdict.exit_code, 0) << text;
    EXPECT_EQ(verdict.output, "");
  }
}

// That promtool would say so if something were wrong.
TEST_F(PromtoolTest, FaultsAreFound) {
  EXPECT_EQ(Check("").exit_code, 0);
  const Verdict lint = Check("# TYPE a counter\na 1\n");
  EXPECT_NE(lint.exit_code, 0);
  EXPECT_THAT(lint.output, ::testing::HasSubstr("no help text"));
  EXPECT_THAT(lint.output, ::testing::HasSubstr("_total"));
  EXPECT_NE(Check("a{b=\"\xff\"} 1\n").exit_code, 0);
  EXPECT_NE(Check("not a metric\n").exit_code, 0);
}

}  // namespace
}  // namespace predial
