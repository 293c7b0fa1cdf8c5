// Servers that are no gRPC servers: RPCs fail and say so, as on an ordinary channel, and the pool
// leaves them in peace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "plugin/api_test_channels.h"
#include "plugin/odd_server.h"
#include "plugin/pooled_channel.h"

namespace predial {
namespace {

using testing::HasSubstr;
using Manner = OddServer::Manner;

struct OddCase {
  const char* name;
  Manner manner;
  const char* rpc_cause;   // what RPCs say, which is gRPC's
  const char* pool_cause;  // what Stats() says
};

class PooledChannelOddServerTest : public testing::TestWithParam<OddCase> {
 protected:
  // Ordinary channels, and so the pool's anchors, give an attempt up after 300 ms. Those that fail
  // sooner are not tried again before the test is over.
  static grpc::ChannelArguments Args() {
    const bool hangs = GetParam().manner == Manner::kSilent;
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 300);
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, hangs ? 300 : 3600'000);
    args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 3600'000);
    return args;
  }
  static std::shared_ptr<PooledChannel> Create(const OddServer& server) {
    PoolOptions options;
    options.settings_wait = absl::Milliseconds(50);
    options.health.timeout = absl::Milliseconds(100);
    options.backoff.initial = options.backoff.max = options.backoff.under_demand = absl::Hours(1);
    return PooledChannel::Create(server.target(), grpc::InsecureChannelCredentials(), Args(),
                                 options);
  }
  // RPCs that do not wait fail and say why.
  static void ExpectRpcsFail(const std::shared_ptr<grpc::ChannelInterface>& channel, int count) {
    const auto stub = echo::v1::Echo::NewStub(channel);
    for (int i = 0; i < count; ++i) {
      const grpc::Status status = Echo(*stub, "hello", /*wait_for_ready=*/false);
      ASSERT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
      ASSERT_THAT(status.error_message(), testing::ContainsRegex(GetParam().rpc_cause));
    }
  }

  const OddServer server_{GetParam().manner};
};

TEST_P(PooledChannelOddServerTest, AnOrdinaryChannelSaysTheSame) {
  ExpectRpcsFail(
      grpc::CreateCustomChannel(server_.target(), grpc::InsecureChannelCredentials(), Args()),
      /*count=*/5);
}

TEST_P(PooledChannelOddServerTest, IsNamedAndLeftInPeace) {
  const auto channel = Create(server_);
  ExpectRpcsFail(channel, /*count=*/200);
  // Whatever was under way comes to its end.
  EXPECT_TRUE(Eventually([&] {
    const PoolStats stats = channel->Stats();
    return stats.state == "TRANSIENT_FAILURE" && stats.endpoints.at(0).connecting == 0;
  }));
  const PoolStats stats = channel->Stats();
  EXPECT_THAT(stats.last_error, HasSubstr(server_.address()));
  EXPECT_THAT(stats.last_error, HasSubstr(GetParam().pool_cause));
  EXPECT_EQ(stats.endpoints.at(0).ready, 0);
  EXPECT_GT(stats.endpoints.at(0).failed_dials, 0);
  // One attempt for each member and a spare, however many RPCs there are.
  const int64_t dials =
      std::accumulate(stats.dials.begin(), stats.dials.end(), static_cast<int64_t>(0));
  EXPECT_LE(dials, 3);
  switch (GetParam().manner) {
    case Manner::kHttp1:
    case Manner::kGarbage:
    case Manner::kHangsUp:
    case Manner::kTruncatedTls:
      EXPECT_LE(server_.accepted(), 5);  // with the two anchors
      break;
    case Manner::kSilent:
      EXPECT_LE(server_.accepted(), 30);  // the anchors' attempts, each longer than the last
      break;
    case Manner::kSettingsThenHangs:
      break;  // an ordinary channel connects again for each RPC
  }
}

// With the default options: dials are far apart even while RPCs fail all the time.
TEST_P(PooledChannelOddServerTest, IsTriedWithBackoffByDefault) {
  const auto channel =
      PooledChannel::Create(server_.target(), grpc::InsecureChannelCredentials(), Args());
  const auto began = std::chrono::steady_clock::now();
  ExpectRpcsFail(channel, /*count=*/200);
  const PoolStats stats = channel->Stats();
  const int64_t dials =
      std::accumulate(stats.dials.begin(), stats.dials.end(), static_cast<int64_t>(0));
  // One for each member and a spare; and all that again every 400 ms.
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_LE(dials, 3 * (took / std::chrono::milliseconds(400) + 2));
}

INSTANTIATE_TEST_SUITE_P(
    All, PooledChannelOddServerTest,
    testing::Values(
        OddCase{"Http1", Manner::kHttp1, "127.0.0.1:[0-9]+: Trying to connect an http1.x server",
                "not an HTTP/2 server"},
        OddCase{"Garbage", Manner::kGarbage, "127.0.0.1:[0-9]+: Failed parsing HTTP/2",
                "not an HTTP/2 server: it sent 220 mail.example"},
        OddCase{"Silent", Manner::kSilent,
                "127.0.0.1:[0-9]+: connection attempt timed out before receiving SETTINGS",
                "not an HTTP/2 server"},
        OddCase{"HangsUp", Manner::kHangsUp, "127.0.0.1:[0-9]+: .*(closed|reset|pipe)",
                "closed the connection at once"},
        OddCase{"SettingsThenHangs", Manner::kSettingsThenHangs, "Socket closed|Broken pipe|reset",
                "the connection was closed"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace predial
