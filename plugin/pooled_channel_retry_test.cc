// RPCs that no server saw are sent again, and none is sent twice: connections that a real server
// ends all the time, under load, through every API.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "plugin/channel_test_util.h"
#include "plugin/mutex.h"
#include "plugin/pooled_channel.h"
#include "plugin/unary_test_calls.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;

template <size_t kCount>
int64_t Sum(const std::array<int64_t, kCount>& counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

class RetryLoadTest : public testing::TestWithParam<UnaryApi> {
 protected:
  static constexpr int kThreads = 8;

  // Sends RPCs from kThreads until `enough`, and notes those that fail.
  template <typename Enough>
  void SendUntil(UnaryApi api, const std::shared_ptr<PooledChannel>& channel, Enough enough) {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; !enough(); ++i) {
          grpc::ClientContext context;
          context.set_deadline(std::chrono::system_clock::now() + kPatience);
          EchoRequest request;
          request.set_message(absl::StrCat(t, "/", i));
          const CallResult result = CallUnary(api, channel, &context, request);
          ++sent_;
          if (result.status.ok() && result.responses.size() == 1 &&
              result.responses[0].message() == request.message()) {
            continue;
          }
          MutexLock lock(mutex_);
          ++failed_[absl::StrCat(result.status.error_code(), " ", result.status.error_message())];
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::string Failures() {
    MutexLock lock(mutex_);
    std::string text;
    for (const auto& [error, count] : failed_) absl::StrAppend(&text, count, " x ", error, "\n");
    return text;
  }

  std::atomic<int64_t> sent_{0};
  Mutex mutex_;
  std::map<std::string, int> failed_ ABSL_GUARDED_BY(mutex_);
};

TEST_P(RetryLoadTest, NoRpcIsLostOrSentTwiceWhenConnectionsEnd) {
  EchoServerOptions aging;
  aging.max_connection_age = absl::Milliseconds(50);
  const auto server = StartServer(aging);
  PoolOptions options;
  options.connections_min = 4;
  options.proven_lifetime = false;  // so that connections are still in use when they end
  const auto channel =
      PooledChannel::Create(TargetOf(*server), grpc::InsecureChannelCredentials(), options);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 4));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  SendUntil(GetParam(), channel, [&] {
    const PoolStats stats = channel->Stats();
    return Sum(stats.rpcs_retried) >= 5 || std::chrono::steady_clock::now() > deadline;
  });
  const PoolStats stats = channel->Stats();
  EXPECT_GE(Sum(stats.rpcs_retried), 5);
  EXPECT_EQ(Failures(), "");
  EXPECT_EQ(Sum(stats.rpcs_lost), 0);
  // Each RPC was seen once.
  EXPECT_EQ(server->rpcs(), sent_);
  EXPECT_TRUE(channel->Shutdown(absl::Now() + absl::FromChrono(kPatience)));
}

TEST_P(RetryLoadTest, SwitchedOffTheyAreLostAndCounted) {
  EchoServerOptions aging;
  aging.max_connection_age = absl::Milliseconds(50);
  const auto server = StartServer(aging);
  PoolOptions options;
  options.connections_min = 4;
  options.proven_lifetime = false;
  options.never_sent_retries_max = 0;
  const auto channel =
      PooledChannel::Create(TargetOf(*server), grpc::InsecureChannelCredentials(), options);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 4));
  const auto lost = [&] {
    return channel->Stats().rpcs_lost[static_cast<size_t>(LossReason::kBudget)];
  };
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  SendUntil(GetParam(), channel,
            [&] { return lost() >= 3 || std::chrono::steady_clock::now() > deadline; });
  EXPECT_GE(lost(), 3);
  EXPECT_EQ(Sum(channel->Stats().rpcs_retried), 0);
  // What was lost was never sent, and nothing else failed.
  EXPECT_EQ(server->rpcs(), sent_ - lost()) << Failures();
}

INSTANTIATE_TEST_SUITE_P(All, RetryLoadTest, testing::ValuesIn(kUnaryApis), NameOfUnaryApi);

}  // namespace
}  // namespace predial
