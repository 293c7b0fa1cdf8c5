// Who may let go of what, and when: contexts, streams, stubs and the channel itself.
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/client_callback.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "plugin/api_test_channels.h"
#include "plugin/api_test_server.h"
#include "plugin/mutex.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

// RPCs that end on gRPC's threads, counted.
class Countdown {
 public:
  // Shows ThreadSanitizer, which does not see how gRPC's threads get here, that this came first.
  explicit Countdown(int count) : left_(count) { MutexLock lock(mutex_); }
  void Done() {
    MutexLock lock(mutex_);
    --left_;
    changed_.notify_all();  // under the lock: the waiter owns this
  }
  bool Wait() {
    std::unique_lock<Mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience,
                             [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return left_ == 0; });
  }

 private:
  Mutex mutex_;
  std::condition_variable_any changed_;
  int left_ ABSL_GUARDED_BY(mutex_);
};

// Context, messages and outcome of one callback RPC.
struct UnaryRpc {
  UnaryRpc() { context.set_deadline(Patiently()); }
  grpc::ClientContext context;
  EchoRequest request;
  EchoResponse response;
  grpc::Status status;
};

class PooledChannelOwnerTest : public testing::TestWithParam<ChannelKind> {
 protected:
  ChannelUnderTest Connect() { return ChannelUnderTest(GetParam(), server_.target()); }
  static std::unique_ptr<grpc::ClientContext> NewContext() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(Patiently());
    return context;
  }

  const ApiServer server_{ServerOptionsOf(GetParam())};
};

TEST_P(PooledChannelOwnerTest, AContextMayGoWithoutItsStatus) {
  const ChannelUnderTest channel = Connect();
  const auto stub = Echo::NewStub(channel.get());
  {
    const auto context = NewContext();
    const auto stream = stub->BidiStream(context.get());
    EXPECT_TRUE(stream->Write({}));
    EchoResponse response;
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_EQ(channel.leases(), HasMembers(GetParam()) ? 1 : 0);
  }
  EXPECT_TRUE(server_.WaitForNone());
  channel.ExpectAllReturned();
}

TEST_P(PooledChannelOwnerTest, AnAsyncRpcMayGoWithoutItsStatus) {
  const ChannelUnderTest channel = Connect();
  const auto stub = Echo::NewStub(channel.get());
  grpc::CompletionQueue queue;
  void* tag;
  bool ok;
  {
    const auto context = NewContext();
    const auto stream = stub->AsyncBidiStream(context.get(), &queue, nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_TRUE(ok);
  }
  queue.Shutdown();
  EXPECT_FALSE(queue.Next(&tag, &ok));
  EXPECT_TRUE(server_.WaitForNone());
  channel.ExpectAllReturned();
}

TEST_P(PooledChannelOwnerTest, AContextMayGoWithoutAnyRpc) {
  const ChannelUnderTest channel = Connect();
  NewContext();
  const auto context = NewContext();
  const auto stub = Echo::NewStub(channel.get());
  grpc::CompletionQueue queue;
  // Prepared, never started. Not a unary one: gRPC leaks the request of that.
  stub->PrepareAsyncBidiStream(context.get(), &queue);
  queue.Shutdown();
  void* tag;
  bool ok;
  EXPECT_FALSE(queue.Next(&tag, &ok));
  EXPECT_EQ(server_.seen().size(), 0u);
}

TEST_P(PooledChannelOwnerTest, AStubMayGoBeforeItsRpcEnds) {
  const ChannelUnderTest channel = Connect();
  const auto context = NewContext();
  auto stub = Echo::NewStub(channel.get());
  const auto stream = stub->BidiStream(context.get());
  stub.reset();
  EXPECT_TRUE(stream->Write({}));
  stream->WritesDone();
  EchoResponse response;
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
  channel.ExpectAllReturned();
}

TEST_P(PooledChannelOwnerTest, TheChannelMayGoWhileCallbackRpcsRun) {
  constexpr int kRpcs = 20;
  Countdown running(kRpcs);
  UnaryRpc rpcs[kRpcs];
  {
    const ChannelUnderTest channel = Connect();
    const auto stub = Echo::NewStub(channel.get());
    for (UnaryRpc& rpc : rpcs) {
      rpc.request.mutable_delay()->set_nanos(50'000'000);
      stub->async()->Unary(&rpc.context, &rpc.request, &rpc.response,
                           [&running, &rpc](grpc::Status status) {
                             rpc.status = std::move(status);
                             running.Done();
                           });
    }
    EXPECT_TRUE(server_.WaitForRpcs(kRpcs));
  }
  EXPECT_TRUE(running.Wait());
  for (const UnaryRpc& rpc : rpcs) EXPECT_TRUE(rpc.status.ok()) << rpc.status.error_message();
}

// The last reference to the channel goes on gRPC's own thread.
TEST_P(PooledChannelOwnerTest, TheChannelMayGoInACallback) {
  auto channel = std::make_unique<ChannelUnderTest>(Connect());
  auto stub = Echo::NewStub(channel->get());
  Countdown running(1);
  UnaryRpc rpc;
  stub->async()->Unary(&rpc.context, &rpc.request, &rpc.response, [&](grpc::Status status) {
    stub.reset();
    channel.reset();
    rpc.status = std::move(status);
    running.Done();
  });
  EXPECT_TRUE(running.Wait());
  EXPECT_TRUE(rpc.status.ok()) << rpc.status.error_message();
}

TEST_P(PooledChannelOwnerTest, ACallbackMayStartTheNextRpc) {
  constexpr int kRpcs = 100;
  const ChannelUnderTest channel = Connect();
  const auto stub = Echo::NewStub(channel.get());
  Countdown running(kRpcs);
  std::vector<std::unique_ptr<UnaryRpc>> rpcs;
  std::function<void()> next = [&] {
    rpcs.push_back(std::make_unique<UnaryRpc>());
    UnaryRpc& rpc = *rpcs.back();
    stub->async()->Unary(&rpc.context, &rpc.request, &rpc.response, [&](grpc::Status status) {
      EXPECT_TRUE(status.ok()) << status.error_message();
      if (rpcs.size() < kRpcs) next();
      running.Done();
    });
  };
  next();
  EXPECT_TRUE(running.Wait());
  channel.ExpectAllReturned();
}

// Before it has connected, while it does, and right after an RPC.
TEST_P(PooledChannelOwnerTest, ChannelsMayGoAtAnyTime) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 10; ++i) {
        std::shared_ptr<grpc::ChannelInterface> channel;
        if (GetParam() == ChannelKind::kOrdinary) {
          channel = grpc::CreateChannel(server_.target(), grpc::InsecureChannelCredentials());
        } else {
          channel = PooledChannel::Create(server_.target(), ChannelCredentialsOf(GetParam()),
                                          PoolOptionsOf(GetParam()));
        }
        if (i % 2 != 0) continue;
        EXPECT_TRUE(predial::Echo(*Echo::NewStub(channel)).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server_.seen().size(), 20u);
}

INSTANTIATE_TEST_SUITE_P(All, PooledChannelOwnerTest, testing::ValuesIn(kChannelKinds),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace predial
