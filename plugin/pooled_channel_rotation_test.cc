// Thousands of connections are replaced under load: no RPC is lost, none goes beyond the limit, and
// nothing grows.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/api_test_channels.h"
#include "plugin/channel_test_util.h"
#include "plugin/pooled_channel.h"
#include "plugin/process_holdings.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

constexpr int kThreads = 4;

class PooledChannelRotationTest : public testing::TestWithParam<ChannelKind> {
 protected:
  // Handshakes take their time.
  static int64_t Count() { return IsSecure(GetParam()) ? 2'000 : 10'000; }
  int64_t Rotations() const {
    return channel_->Stats().rotations[static_cast<size_t>(RotateReason::kRpcs)];
  }
  // No connection is coming or going.
  bool IsAtRest() const {
    const PoolStats stats = channel_->Stats();
    int moving = 0;
    for (const EndpointStats& endpoint : stats.endpoints) {
      moving += endpoint.connecting + endpoint.draining;
    }
    return stats.leases == 0 && moving == 0;
  }

  // Sends RPCs until so many connections were replaced, and waits until all is at rest.
  void RotateUntil(int64_t count) {
    const auto deadline = std::chrono::steady_clock::now() + 8 * kPatience;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        const auto stub = echo::v1::Echo::NewStub(channel_);
        while (Rotations() < count && std::chrono::steady_clock::now() < deadline) {
          for (int i = 0; i < 20; ++i) {
            const grpc::Status status = Echo(*stub, absl::StrCat(t, "/", ++sent_));
            if (!status.ok() && ++failed_ < 10) ADD_FAILURE() << status.error_message();
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_GE(Rotations(), count);
    EXPECT_TRUE(Eventually([&] { return IsAtRest(); }));
  }

  const std::unique_ptr<EchoServer> server_ = StartServer(ServerOptionsOf(GetParam(), {}));
  std::shared_ptr<PooledChannel> channel_;
  std::atomic<int64_t> sent_{0};
  std::atomic<int64_t> failed_{0};
};

TEST_P(PooledChannelRotationTest, ThousandsOfRotationsGrowNothing) {
  PoolOptions options;
  options.connections_min = 4;
  options.requests_per_connection_max = 4;
  options.spares = 0;
  channel_ = PooledChannel::Create(TargetOf(*server_), ChannelCredentialsOf(GetParam()),
                                   PoolOptionsOf(GetParam(), options));
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 4));
  // gRPC takes its time to make all of its own threads and buffers.
  RotateUntil(Count() / 5);
  const Holdings before;
  RotateUntil(Count());
  // The server's ends of the last ones may still be closing, each with 100 KiB of TLS.
  EXPECT_TRUE(Eventually([&] {
    const Holdings now;
    return now.descriptors <= before.descriptors + 4 && HeapHasNotGrown(before, now);
  }));
  EXPECT_EQ(failed_, 0);
  EXPECT_EQ(server_->rpcs(), sent_);
  ExpectNoGrowth(before, Holdings());
}

INSTANTIATE_TEST_SUITE_P(All, PooledChannelRotationTest,
                         testing::Values(ChannelKind::kMembers, ChannelKind::kManaged,
                                         ChannelKind::kTls),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace predial
