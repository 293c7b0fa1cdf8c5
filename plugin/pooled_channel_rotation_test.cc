// Ten thousand connections are replaced under load: no RPC is lost, none goes beyond the limit, and
// nothing grows.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/channel_test_util.h"
#include "plugin/pooled_channel.h"
#include "plugin/process_holdings.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

constexpr int kThreads = 4;
constexpr int kRotations = 10'000;

int64_t Rotations(const PooledChannel& channel) {
  return channel.Stats().rotations[static_cast<size_t>(RotateReason::kRpcs)];
}

TEST(PooledChannelRotationTest, TenThousandRotationsGrowNothing) {
  const auto server = StartServer();
  PoolOptions options;
  options.connections_min = 4;
  options.requests_per_connection_max = 4;
  const auto channel =
      PooledChannel::Create(TargetOf(*server), grpc::InsecureChannelCredentials(), options);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 4));
  std::atomic<bool> stop{false};
  std::atomic<int64_t> sent{0};
  std::atomic<int64_t> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const auto stub = echo::v1::Echo::NewStub(channel);
      while (!stop) {
        const grpc::Status status = Echo(*stub, absl::StrCat(t, "/", ++sent));
        if (!status.ok() && ++failed < 10) ADD_FAILURE() << status.error_message();
      }
    });
  }
  // gRPC takes its time to make all of its own threads and buffers.
  const auto reached = [&](int64_t count) {
    const auto deadline = std::chrono::steady_clock::now() + 8 * kPatience;
    while (Rotations(*channel) < count && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    return Rotations(*channel) >= count;
  };
  EXPECT_TRUE(reached(kRotations / 5));
  const Holdings before;
  EXPECT_TRUE(reached(kRotations));
  const Holdings after;
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(server->rpcs(), sent);
  ExpectNoGrowth(before, after);
}

}  // namespace
}  // namespace predial
