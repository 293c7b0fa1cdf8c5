// RPCs that find every connection full: shared, refused, or made to wait.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "plugin/api_test_calls.h"
#include "plugin/api_test_channels.h"
#include "plugin/api_test_server.h"
#include "plugin/channel_test_util.h"
#include "plugin/mutex.h"
#include "plugin/observer.h"
#include "plugin/pooled_channel.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;
using echo::v1::EchoResponse;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr absl::Duration kLong = absl::Seconds(60);
constexpr absl::Duration kShort = absl::Milliseconds(40);

// One connection with one place, unless a test says otherwise.
PoolOptions OnePlace(OverflowPolicy policy) {
  PoolOptions options;
  options.connections_min = options.connections_max = 1;
  options.streams_per_connection_max = 1;
  options.overflow = policy;
  options.checkout_timeout = kLong;
  return options;
}

// An RPC that stays.
class HeldRpc {
 public:
  explicit HeldRpc(const std::shared_ptr<grpc::ChannelInterface>& channel)
      : stub_(echo::v1::Echo::NewStub(channel)) {
    context_.set_deadline(Patiently());
    context_.set_wait_for_ready(true);
    stream_ = stub_->BidiStream(&context_);
    EchoResponse response;
    EXPECT_TRUE(stream_->Write({}));
    EXPECT_TRUE(stream_->Read(&response));
  }
  ~HeldRpc() { End(); }
  void End() {
    if (stream_ == nullptr) return;
    stream_->WritesDone();
    status_ = stream_->Finish();
    stream_.reset();
  }
  const grpc::Status& status() const { return status_; }

 private:
  const std::unique_ptr<echo::v1::Echo::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoResponse>> stream_;
  grpc::Status status_;
};

class OverflowTest : public testing::Test {
 protected:
  void Connect(const PoolOptions& options) {
    channel_ = PooledChannel::Create(server_.target(), grpc::InsecureChannelCredentials(), options);
    ASSERT_TRUE(WaitForReadyMembers(*channel_, options.connections_min));
  }
  // One unary RPC.
  grpc::Status Call(CallApi api = CallApi::kSync, absl::Duration timeout = kLong,
                    RpcType type = RpcType::kUnary) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    return MakeCall(api, type, channel_, &context, {EchoRequest()}).status;
  }
  bool AwaitWaiters(int count) {
    return Eventually([&] { return channel_->Stats().checkout_waiters == count; });
  }
  int64_t Rejected(RejectReason reason) {
    return channel_->Stats().checkouts_rejected[static_cast<int>(reason)];
  }
  // Of an error that a full pool of one connection gives.
  void ExpectNamesTheLimit(const grpc::Status& status) {
    EXPECT_THAT(status.error_message(), HasSubstr(server_.target()));
    EXPECT_THAT(status.error_message(), HasSubstr("streams_per_connection_max (1)"));
    EXPECT_THAT(status.error_message(), HasSubstr("each of 1 ready connections"));
    EXPECT_THAT(status.error_message(), HasSubstr("raise connections_max"));
  }

  const ApiServer server_;
  std::shared_ptr<PooledChannel> channel_;
};

TEST_F(OverflowTest, SharedConnectionsTakeMoreThanTheirPlaces) {
  Connect(OnePlace(OverflowPolicy::kShare));
  const HeldRpc held(channel_);
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(channel_->Stats().checkouts_anchor, 0);
}

TEST_F(OverflowTest, FailFastNamesTheLimit) {
  Connect(OnePlace(OverflowPolicy::kFailFast));
  HeldRpc held(channel_);
  for (const CallApi api : kCallApis) {
    const grpc::Status status = Call(api);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    ExpectNamesTheLimit(status);
    EXPECT_THAT(status.error_message(), HasSubstr("OverflowPolicy::kWait"));
  }
  EXPECT_EQ(Rejected(RejectReason::kFull), 5);
  held.End();
  EXPECT_TRUE(held.status().ok()) << held.status().error_message();
  EXPECT_TRUE(Call().ok());
}

TEST_F(OverflowTest, FailFastNamesThePeersLimit) {
  EchoServerOptions server_options;
  server_options.max_concurrent_streams = 1;
  const auto server = StartServer(server_options);
  ASSERT_NE(server, nullptr);
  PoolOptions options = OnePlace(OverflowPolicy::kFailFast);
  options.streams_per_connection_max = 0;
  channel_ = PooledChannel::Create(TargetOf(*server), grpc::InsecureChannelCredentials(), options);
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 1));
  const HeldRpc held(channel_);
  const grpc::Status status = Call();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("SETTINGS_MAX_CONCURRENT_STREAMS 1"));
}

TEST_F(OverflowTest, SyncRpcsOfEveryKindWaitForAPlace) {
  Connect(OnePlace(OverflowPolicy::kWait));
  int64_t waits = 0;
  for (const RpcType type :
       {RpcType::kUnary, RpcType::kClientStream, RpcType::kServerStream, RpcType::kBidiStream}) {
    HeldRpc held(channel_);
    std::thread caller([this, type] {
      const grpc::Status status = Call(CallApi::kSync, kLong, type);
      EXPECT_TRUE(status.ok()) << status.error_message();
    });
    EXPECT_TRUE(AwaitWaiters(1));
    held.End();
    caller.join();
    const PoolStats stats = channel_->Stats();
    EXPECT_EQ(stats.checkout_waits, ++waits);
    EXPECT_GT(stats.checkout_wait_nanos, 0);
    EXPECT_EQ(stats.checkout_waiters, 0);
    EXPECT_EQ(stats.checkouts_anchor, 0);
  }
}

TEST_F(OverflowTest, OtherRpcsNeverWait) {
  Connect(OnePlace(OverflowPolicy::kWait));
  const HeldRpc held(channel_);
  for (const CallApi api :
       {CallApi::kAsync, CallApi::kCallback, CallApi::kGenericAsync, CallApi::kGenericCallback}) {
    const grpc::Status status = Call(api);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    ExpectNamesTheLimit(status);
    EXPECT_THAT(status.error_message(), HasSubstr("not synchronous"));
  }
  EXPECT_EQ(Rejected(RejectReason::kCannotWait), 4);
  EXPECT_EQ(channel_->Stats().checkout_waits, 0);
}

TEST_F(OverflowTest, TheCheckoutTimeoutEndsAWait) {
  PoolOptions options = OnePlace(OverflowPolicy::kWait);
  options.checkout_timeout = kShort;
  Connect(options);
  const HeldRpc held(channel_);
  const grpc::Status status = Call();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  ExpectNamesTheLimit(status);
  EXPECT_THAT(status.error_message(), HasSubstr("checkout_timeout (40ms)"));
  EXPECT_EQ(Rejected(RejectReason::kCheckoutTimeout), 1);
}

TEST_F(OverflowTest, TheDeadlineEndsAWait) {
  Connect(OnePlace(OverflowPolicy::kWait));
  const HeldRpc held(channel_);
  const grpc::Status status = Call(CallApi::kSync, kShort);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  ExpectNamesTheLimit(status);
  EXPECT_THAT(status.error_message(), HasSubstr("before this one's deadline"));
  EXPECT_THAT(status.error_message(), Not(HasSubstr("checkout_timeout")));
  EXPECT_EQ(Rejected(RejectReason::kDeadline), 1);
}

TEST_F(OverflowTest, NoMoreThanWaitersMaxWait) {
  PoolOptions options = OnePlace(OverflowPolicy::kWait);
  options.waiters_max = 1;
  Connect(options);
  HeldRpc held(channel_);
  std::thread caller([this] { EXPECT_TRUE(Call().ok()); });
  EXPECT_TRUE(AwaitWaiters(1));
  const grpc::Status status = Call();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  ExpectNamesTheLimit(status);
  EXPECT_THAT(status.error_message(), HasSubstr("waiters_max (1)"));
  EXPECT_EQ(Rejected(RejectReason::kWaitersMax), 1);
  held.End();
  caller.join();
}

TEST_F(OverflowTest, CancellingTheContextEndsAWait) {
  Connect(OnePlace(OverflowPolicy::kWait));
  const HeldRpc held(channel_);
  grpc::ClientContext context;
  context.set_deadline(Patiently());
  std::thread caller([&] {
    const grpc::Status status =
        MakeCall(CallApi::kSync, RpcType::kUnary, channel_, &context, {EchoRequest()}).status;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED) << status.error_message();
  });
  EXPECT_TRUE(AwaitWaiters(1));
  context.TryCancel();
  caller.join();
  EXPECT_EQ(channel_->Stats().checkout_waiters, 0);
}

TEST_F(OverflowTest, ShutdownEndsAWait) {
  Connect(OnePlace(OverflowPolicy::kWait));
  HeldRpc held(channel_);
  std::thread caller([this] {
    const grpc::Status status = Call();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(), HasSubstr("shut down"));
  });
  EXPECT_TRUE(AwaitWaiters(1));
  EXPECT_FALSE(channel_->Shutdown(absl::InfinitePast()));
  caller.join();
}

TEST_F(OverflowTest, SuspendEndsAWait) {
  Connect(OnePlace(OverflowPolicy::kWait));
  const HeldRpc held(channel_);
  std::thread caller([this] {
    const grpc::Status status = Call();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(), HasSubstr("suspended"));
  });
  EXPECT_TRUE(AwaitWaiters(1));
  channel_->Suspend();
  caller.join();
}

// The member dies, nothing replaces it: what waits gets the ordinary channel and its error.
TEST_F(OverflowTest, TheEndOfTheServerEndsAWait) {
  const auto server = StartServer();
  ASSERT_NE(server, nullptr);
  const PoolOptions options = OnePlace(OverflowPolicy::kWait);
  channel_ = PooledChannel::Create(TargetOf(*server), grpc::InsecureChannelCredentials(), options);
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 1));
  const HeldRpc held(channel_);
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([this] { EXPECT_EQ(Call().error_code(), grpc::StatusCode::UNAVAILABLE); });
  }
  EXPECT_TRUE(AwaitWaiters(3));
  server->Shutdown(absl::ZeroDuration());
  for (std::thread& caller : callers) caller.join();
}

TEST_F(OverflowTest, ThePoolGrowsForThoseWhoWait) {
  PoolOptions options = OnePlace(OverflowPolicy::kWait);
  options.connections_max = 3;
  Connect(options);
  const HeldRpc one(channel_);
  const HeldRpc two(channel_);
  const HeldRpc three(channel_);
  const PoolStats stats = channel_->Stats();
  EXPECT_EQ(stats.leases, 3);
  EXPECT_EQ(stats.checkouts_anchor, 0);
  EXPECT_EQ(Call(CallApi::kSync, kShort).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(OverflowTest, IdleConnectionsAreKeptBeyondThoseInUse) {
  PoolOptions options = OnePlace(OverflowPolicy::kFailFast);
  options.connections_max = 6;
  options.connections_min = options.connections_idle_min = 2;
  Connect(options);
  std::vector<std::unique_ptr<HeldRpc>> held;
  for (int in_use = 1; in_use <= 4; ++in_use) {
    held.push_back(std::make_unique<HeldRpc>(channel_));
    EXPECT_TRUE(WaitForReadyMembers(*channel_, in_use + 2));
  }
}

// While no member is ready, the ordinary channel keeps the limit, too.
TEST_F(OverflowTest, TheOrdinaryChannelKeepsTheLimit) {
  PoolOptions options = OnePlace(OverflowPolicy::kFailFast);
  options.dialer = std::make_shared<FailingDialer>();
  channel_ = PooledChannel::Create(server_.target(), grpc::InsecureChannelCredentials(), options);
  HeldRpc held(channel_);
  EXPECT_EQ(channel_->Stats().checkouts_anchor, 1);
  const grpc::Status status = Call();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("none of at most 1 connections is ready"));
  EXPECT_THAT(status.error_message(), HasSubstr("streams_per_connection_max 1"));
  held.End();
  EXPECT_TRUE(Call().ok());
}

// What the observer hears of RPCs.
class Reports final : public PoolEvents, public PoolObserver {
 public:
  std::shared_ptr<PoolEvents> OnPoolCreated(const std::string& /*target*/,
                                            StatsSource /*stats*/) override {
    return std::shared_ptr<PoolEvents>(std::shared_ptr<PoolEvents>(), this);
  }
  void OnCheckout(Duration took) override {
    MutexLock lock(mutex_);
    longest_ = std::max(longest_, took);
    ++checkouts_;
  }
  void OnRpcEnded(void* /*started*/, int code, Duration /*took*/) override {
    MutexLock lock(mutex_);
    codes_.push_back(code);
  }
  Duration longest() {
    MutexLock lock(mutex_);
    return longest_;
  }
  int checkouts() {
    MutexLock lock(mutex_);
    return checkouts_;
  }
  std::vector<int> codes() {
    MutexLock lock(mutex_);
    return codes_;
  }

 private:
  Mutex mutex_;
  Duration longest_ ABSL_GUARDED_BY(mutex_) = {};
  int checkouts_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<int> codes_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(OverflowTest, TheObserverHearsOfWaitsAndOfRefusedRpcs) {
  // For ever: the pool may report to it after the test.
  static auto* const reports = new Reports;
  PoolOptions options = OnePlace(OverflowPolicy::kWait);
  options.observer = std::shared_ptr<PoolObserver>(std::shared_ptr<PoolObserver>(), reports);
  Connect(options);
  HeldRpc held(channel_);
  EXPECT_EQ(Call(CallApi::kAsync).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(Eventually([&] { return !reports->codes().empty(); }));
  EXPECT_THAT(reports->codes(), Contains(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_EQ(reports->checkouts(), 1);
  const Time before = Clock::now();
  std::thread caller([this] { EXPECT_TRUE(Call().ok()); });
  EXPECT_TRUE(AwaitWaiters(1));
  const Time waiting = Clock::now();
  while (Clock::now() < waiting + std::chrono::milliseconds(5)) std::this_thread::yield();
  held.End();
  caller.join();
  EXPECT_EQ(reports->checkouts(), 2);
  EXPECT_GE(reports->longest(), std::chrono::milliseconds(5));
  EXPECT_LE(reports->longest(), Clock::now() - before);
}

}  // namespace
}  // namespace predial
