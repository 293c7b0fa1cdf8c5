// GetState, WaitForConnected, WaitForStateChange and NotifyOnStateChange, over an ordinary channel
// and a pooled one as far as they agree: a pool is never idle, and connects without being asked.
#include <grpcpp/completion_queue.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "plugin/api_test_channels.h"
#include "plugin/api_test_server.h"

namespace predial {
namespace {

std::chrono::system_clock::time_point Soon() {
  return std::chrono::system_clock::now() + std::chrono::milliseconds(20);
}
constexpr auto kNever = std::chrono::system_clock::time_point::max();

// The next tag of `queue`, which has to be `expected`; its ok.
bool Next(grpc::CompletionQueue& queue, void* expected) {
  void* tag = nullptr;
  bool ok = false;
  EXPECT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(tag, expected);
  return ok;
}
void ExpectEnded(grpc::CompletionQueue& queue) {
  queue.Shutdown();
  void* tag;
  bool ok;
  EXPECT_FALSE(queue.Next(&tag, &ok));
}

std::shared_ptr<PooledChannel> Create(const std::string& target,
                                      ChannelKind kind = ChannelKind::kMembers) {
  PoolOptions options;
  options.backoff.initial = options.backoff.under_demand = absl::Milliseconds(10);
  return PooledChannel::Create(target, ChannelCredentialsOf(kind), PoolOptionsOf(kind, options));
}

class PooledChannelStateTest : public testing::TestWithParam<ChannelKind> {
 protected:
  PooledChannelStateTest() {
    options_.address = UnusedAddress();
    if (GetParam() != ChannelKind::kOrdinary) {
      channel_ = Create(options_.address, GetParam());
      return;
    }
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    channel_ =
        grpc::CreateCustomChannel(options_.address, grpc::InsecureChannelCredentials(), args);
  }
  void StartServer() { server_ = std::make_unique<ApiServer>(options_); }

  ApiServerOptions options_ = ServerOptionsOf(GetParam());
  std::unique_ptr<ApiServer> server_;
  std::shared_ptr<grpc::ChannelInterface> channel_;
};

TEST_P(PooledChannelStateTest, WaitsForTheConnection) {
  EXPECT_FALSE(channel_->WaitForConnected(Soon()));
  EXPECT_NE(channel_->GetState(true), GRPC_CHANNEL_READY);
  StartServer();
  EXPECT_TRUE(channel_->WaitForConnected(Patiently()));
  EXPECT_EQ(channel_->GetState(false), GRPC_CHANNEL_READY);
}

TEST_P(PooledChannelStateTest, WaitsForAChange) {
  StartServer();
  ASSERT_TRUE(channel_->WaitForConnected(Patiently()));
  EXPECT_FALSE(channel_->WaitForStateChange(GRPC_CHANNEL_READY, Soon()));
  EXPECT_TRUE(channel_->WaitForStateChange(GRPC_CHANNEL_CONNECTING, kNever));
  std::thread stopper([this] { server_.reset(); });
  EXPECT_TRUE(channel_->WaitForStateChange(GRPC_CHANNEL_READY, Patiently()));
  stopper.join();
}

TEST_P(PooledChannelStateTest, FailsAndRecovers) {
  channel_->GetState(/*try_to_connect=*/true);
  EXPECT_TRUE(
      Eventually([&] { return channel_->GetState(true) == GRPC_CHANNEL_TRANSIENT_FAILURE; }));
  StartServer();
  EXPECT_TRUE(channel_->WaitForConnected(Patiently()));
  server_.reset();
  EXPECT_TRUE(
      Eventually([&] { return channel_->GetState(true) == GRPC_CHANNEL_TRANSIENT_FAILURE; }));
}

TEST_P(PooledChannelStateTest, NotifiesOfChangesAndDeadlines) {
  StartServer();
  ASSERT_TRUE(channel_->WaitForConnected(Patiently()));
  grpc::CompletionQueue queue;
  int other, in_vain, in_time;
  channel_->NotifyOnStateChange(GRPC_CHANNEL_CONNECTING, kNever, &queue, &other);
  EXPECT_TRUE(Next(queue, &other));
  channel_->NotifyOnStateChange(GRPC_CHANNEL_READY, Soon(), &queue, &in_vain);
  EXPECT_FALSE(Next(queue, &in_vain));
  channel_->NotifyOnStateChange(GRPC_CHANNEL_READY, kNever, &queue, &in_time);
  server_.reset();
  EXPECT_TRUE(Next(queue, &in_time));
  ExpectEnded(queue);
}

TEST_P(PooledChannelStateTest, NotifiesOnAQueueThatIsShutDown) {
  StartServer();
  ASSERT_TRUE(channel_->WaitForConnected(Patiently()));
  grpc::CompletionQueue queue;
  int in_vain;
  channel_->NotifyOnStateChange(GRPC_CHANNEL_READY, Soon(), &queue, &in_vain);
  queue.Shutdown();
  EXPECT_FALSE(Next(queue, &in_vain));
  void* tag;
  bool ok;
  EXPECT_FALSE(queue.Next(&tag, &ok));
}

TEST_P(PooledChannelStateTest, NotifiesManyWatchers) {
  constexpr int kWatchers = 50;
  StartServer();
  ASSERT_TRUE(channel_->WaitForConnected(Patiently()));
  grpc::CompletionQueue queue;
  std::vector<int> told(kWatchers);
  for (int& one : told) channel_->NotifyOnStateChange(GRPC_CHANNEL_READY, kNever, &queue, &one);
  server_.reset();
  for (int i = 0; i < kWatchers; ++i) {
    void* tag;
    bool ok;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_TRUE(ok);
    ++*static_cast<int*>(tag);
  }
  EXPECT_EQ(told, std::vector<int>(kWatchers, 1));
  ExpectEnded(queue);
}

INSTANTIATE_TEST_SUITE_P(All, PooledChannelStateTest,
                         testing::Values(ChannelKind::kOrdinary, ChannelKind::kMembers,
                                         ChannelKind::kManaged, ChannelKind::kTls,
                                         ChannelKind::kMutualTls),
                         [](const auto& info) { return NameOf(info.param); });

// --- What only a pool has.

TEST(PooledChannelStateOfPoolTest, IsNeverIdle) {
  const auto channel = Create(UnusedAddress());
  EXPECT_NE(channel->GetState(false), GRPC_CHANNEL_IDLE);
  EXPECT_TRUE(channel->WaitForStateChange(GRPC_CHANNEL_CONNECTING, Patiently()));
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_TRANSIENT_FAILURE);
  EXPECT_EQ(channel->Stats().state, "TRANSIENT_FAILURE");
}

TEST(PooledChannelStateOfPoolTest, AfterShutdownItIsShutDownForGood) {
  const ApiServer server;
  const auto channel = Create(server.target());
  ASSERT_TRUE(channel->WaitForConnected(Patiently()));
  grpc::CompletionQueue queue;
  int at_shutdown, after;
  channel->NotifyOnStateChange(GRPC_CHANNEL_READY, kNever, &queue, &at_shutdown);
  EXPECT_TRUE(channel->Shutdown(absl::Now() + absl::FromChrono(kPatience)));
  EXPECT_TRUE(Next(queue, &at_shutdown));
  EXPECT_EQ(channel->GetState(true), GRPC_CHANNEL_SHUTDOWN);
  EXPECT_TRUE(channel->WaitForStateChange(GRPC_CHANNEL_READY, kNever));
  EXPECT_FALSE(channel->WaitForStateChange(GRPC_CHANNEL_SHUTDOWN, Soon()));
  EXPECT_FALSE(channel->WaitForConnected(Soon()));
  channel->NotifyOnStateChange(GRPC_CHANNEL_SHUTDOWN, Soon(), &queue, &after);
  EXPECT_FALSE(Next(queue, &after));
  ExpectEnded(queue);
}

TEST(PooledChannelStateOfPoolTest, TellsItsWatchersWhenItIsDestroyed) {
  const ApiServer server;
  grpc::CompletionQueue queue;
  int tag;
  {
    const auto channel = Create(server.target());
    ASSERT_TRUE(channel->WaitForConnected(Patiently()));
    channel->NotifyOnStateChange(GRPC_CHANNEL_READY, kNever, &queue, &tag);
  }
  EXPECT_TRUE(Next(queue, &tag));
  ExpectEnded(queue);
}

TEST(PooledChannelStateOfPoolTest, AChannelThatFailedToBeCreatedIsShutDown) {
  const auto channel = Create("no port");
  EXPECT_EQ(channel->GetState(true), GRPC_CHANNEL_SHUTDOWN);
  EXPECT_FALSE(channel->WaitForConnected(Soon()));
  EXPECT_TRUE(channel->WaitForStateChange(GRPC_CHANNEL_IDLE, kNever));
  grpc::CompletionQueue queue;
  int other, in_vain;
  channel->NotifyOnStateChange(GRPC_CHANNEL_IDLE, kNever, &queue, &other);
  EXPECT_TRUE(Next(queue, &other));
  channel->NotifyOnStateChange(GRPC_CHANNEL_SHUTDOWN, Soon(), &queue, &in_vain);
  EXPECT_FALSE(Next(queue, &in_vain));
  ExpectEnded(queue);
  EXPECT_TRUE(channel->Shutdown(absl::InfiniteFuture()));
}

}  // namespace
}  // namespace predial
