// PoolOptions::Exclusive(): never two RPCs on one connection, whoever asks.
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "plugin/api_test_channels.h"
#include "plugin/channel_test_util.h"
#include "plugin/mutex.h"
#include "plugin/pooled_channel.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

// Counts the RPCs on each connection: that is its peer, as the server sees it.
class CountingService final : public echo::v1::Echo::Service {
 public:
  grpc::Status Unary(grpc::ServerContext* context, const echo::v1::EchoRequest* request,
                     echo::v1::EchoResponse* response) override {
    const std::string peer = context->peer();
    {
      MutexLock lock(mutex_);
      most_ = std::max(most_, ++running_[peer]);
    }
    for (int i = 0; i < 10; ++i) std::this_thread::yield();  // gives others time to come in
    response->set_message(request->message());
    MutexLock lock(mutex_);
    --running_[peer];
    ++rpcs_;
    return grpc::Status::OK;
  }
  int most() {
    MutexLock lock(mutex_);
    return most_;
  }
  int64_t rpcs() {
    MutexLock lock(mutex_);
    return rpcs_;
  }
  size_t connections() {
    MutexLock lock(mutex_);
    return running_.size();
  }

 private:
  Mutex mutex_;
  std::map<std::string, int> running_ ABSL_GUARDED_BY(mutex_);  // by peer
  int most_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t rpcs_ ABSL_GUARDED_BY(mutex_) = 0;
};

class ExclusiveTest : public testing::Test {
 protected:
  ExclusiveTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    EXPECT_NE(server_, nullptr);
  }
  std::string target() const { return absl::StrCat("ipv4:127.0.0.1:", port_); }

  CountingService service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// From the first moment, when no connection is ready, and with three times as many callers as
// connections.
TEST_F(ExclusiveTest, ManyThreadsNeverShareAConnection) {
  constexpr int kThreads = 64;
  constexpr int kRpcs = 50;
  PoolOptions options = PoolOptions::Exclusive();
  options.connections_max = 20;
  options.checkout_timeout = absl::FromChrono(kPatience);
  const auto channel = PooledChannel::Create(target(), grpc::InsecureChannelCredentials(), options);
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      const auto stub = echo::v1::Echo::NewStub(channel);
      for (int i = 0; i < kRpcs; ++i) {
        const grpc::Status status = Echo(*stub);
        if (!status.ok() && failed.fetch_add(1) == 0) ADD_FAILURE() << status.error_message();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed.load(), 0);
  EXPECT_EQ(service_.most(), 1);
  EXPECT_EQ(service_.rpcs(), kThreads * kRpcs);
  EXPECT_GT(service_.connections(), 1u);
  const PoolStats stats = channel->Stats();
  EXPECT_EQ(stats.leases, 0);
  EXPECT_EQ(stats.checkout_waiters, 0);
  EXPECT_GT(stats.checkout_waits, 0);
  EXPECT_EQ(stats.checkouts_new + stats.checkouts_reused + stats.checkouts_anchor,
            kThreads * kRpcs);
}

TEST_F(ExclusiveTest, TenAreReadyBeyondThoseInUse) {
  const auto channel =
      PooledChannel::Create(target(), grpc::InsecureChannelCredentials(), PoolOptions::Exclusive());
  EXPECT_TRUE(WaitForReadyMembers(*channel, 10)) << channel->Stats().last_error;
  const auto stub = echo::v1::Echo::NewStub(channel);
  EXPECT_TRUE(Echo(*stub).ok());
  const PoolStats stats = channel->Stats();
  EXPECT_EQ(stats.connections_max, 50);
  EXPECT_EQ(stats.checkouts_anchor, 0);
}

}  // namespace
}  // namespace predial
