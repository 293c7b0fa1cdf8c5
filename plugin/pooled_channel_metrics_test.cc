// A pool's metrics as Prometheus gets them: scraped over HTTP from a real exposer, and checked by
// promtool.
#include <gtest/gtest.h>
#include <prometheus/exposer.h>
#include <sys/wait.h>

#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "plugin/channel_test_util.h"
#include "plugin/metrics/prometheus_observer.h"
#include "plugin/pooled_channel.h"

namespace predial {
namespace {

// What a shell command prints, and its exit code at the end.
std::string RunCommand(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  EXPECT_NE(pipe, nullptr);
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, pipe)) > 0;) output.append(buffer, n);
  const int status = pclose(pipe);
  return absl::StrCat(output, "exit ", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

class PooledChannelMetricsTest : public testing::Test {
 protected:
  PooledChannelMetricsTest() {
    exposer_.RegisterCollectable(observer_);
    options_.observer = observer_;
    url_ = absl::StrCat("http://127.0.0.1:", exposer_.GetListeningPorts().at(0), "/metrics");
  }

  std::shared_ptr<PooledChannel> Connect() {
    return PooledChannel::Create(target_, grpc::InsecureChannelCredentials(), options_);
  }

  // The value of one series, -1 if it is not there.
  double Scrape(const std::string& series) {
    const std::string body = RunCommand(absl::StrCat("curl --silent --fail ", url_));
    for (absl::string_view line : absl::StrSplit(body, '\n')) {
      double value;
      const size_t space = line.rfind(' ');
      if (space != absl::string_view::npos && line.substr(0, space) == series &&
          absl::SimpleAtod(line.substr(space + 1), &value)) {
        return value;
      }
    }
    return -1;
  }
  double OfPool(const std::string& name, const std::string& labels = "") {
    return Scrape(absl::StrCat(name, "{target=\"", target_, "\"", labels, "}"));
  }
  double OfUnary(const std::string& name, const std::string& labels = "") {
    return Scrape(absl::StrCat(name, "{grpc_type=\"unary\",grpc_service=\"predial.echo.v1.Echo\",",
                               "grpc_method=\"Unary\"", labels, "}"));
  }

  const std::unique_ptr<EchoServer> server_ = StartServer();
  const std::string target_ = TargetOf(*server_);
  const std::shared_ptr<PrometheusObserver> observer_ = PrometheusObserver::Create();
  prometheus::Exposer exposer_{"127.0.0.1:0"};
  PoolOptions options_;
  std::string url_;
};

TEST_F(PooledChannelMetricsTest, PromtoolAcceptsTheScrape) {
  const auto channel = Connect();
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = echo::v1::Echo::NewStub(channel);
  ASSERT_TRUE(Echo(*stub).ok());
  EXPECT_EQ(RunCommand(absl::StrCat("curl --silent --fail ", url_, " | promtool check metrics")),
            "exit 0");
}

TEST_F(PooledChannelMetricsTest, CountsWhatHappened) {
  const auto channel = Connect();
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = echo::v1::Echo::NewStub(channel);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Echo(*stub).ok());
  grpc::ClientContext context;
  echo::v1::EchoRequest request;
  request.set_status_code(grpc::StatusCode::NOT_FOUND);
  echo::v1::EchoResponse response;
  EXPECT_EQ(stub->Unary(&context, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);

  EXPECT_EQ(OfUnary("grpc_client_started_total"), 11);
  EXPECT_EQ(OfUnary("grpc_client_handled_total", ",grpc_code=\"OK\""), 10);
  EXPECT_EQ(OfUnary("grpc_client_handled_total", ",grpc_code=\"NotFound\""), 1);
  EXPECT_EQ(OfUnary("grpc_client_handling_seconds_count"), 11);
  EXPECT_EQ(OfPool("predial_connections", ",state=\"ready\""), 2);
  EXPECT_EQ(OfPool("predial_checkouts_total", ",source=\"new\""), 2);
  EXPECT_EQ(OfPool("predial_checkouts_total", ",source=\"reused\""), 9);
  EXPECT_EQ(OfPool("predial_checkouts_total", ",source=\"anchor\""), 0);
  EXPECT_EQ(OfPool("predial_checkout_seconds_count"), 11);
  EXPECT_EQ(OfPool("predial_leases"), 0);
  EXPECT_GE(OfPool("predial_dials_total", ",result=\"ok\""), 2);
}

TEST_F(PooledChannelMetricsTest, CountersSurviveTheirPool) {
  auto channel = Connect();
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  auto stub = echo::v1::Echo::NewStub(channel);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Echo(*stub).ok());
  EXPECT_TRUE(channel->Shutdown(absl::InfiniteFuture()));
  EXPECT_EQ(OfPool("predial_connections", ",state=\"ready\""), -1);  // a gauge goes with its pool
  channel = Connect();
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  stub = echo::v1::Echo::NewStub(channel);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Echo(*stub).ok());
  EXPECT_EQ(OfPool("predial_checkouts_total", ",source=\"reused\"") +
                OfPool("predial_checkouts_total", ",source=\"new\""),
            10);
  EXPECT_GE(OfPool("predial_connections_closed_total", ",reason=\"shutdown\""), 2);
}

}  // namespace
}  // namespace predial
