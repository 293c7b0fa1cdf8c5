// RPCs while no server is there, with and without wait_for_ready, over an ordinary channel and over
// a pooled one.
#include <gmock/gmock.h>
#include <grpcpp/completion_queue.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "plugin/api_test_calls.h"
#include "plugin/api_test_channels.h"
#include "plugin/api_test_server.h"
#include "plugin/observer.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoResponse;

std::shared_ptr<grpc::ChannelInterface> Connect(bool pooled, const std::string& target) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  const auto credentials = grpc::InsecureChannelCredentials();
  if (!pooled) return grpc::CreateCustomChannel(target, credentials, args);
  PoolOptions options;
  options.backoff.under_demand = absl::Milliseconds(10);
  return PooledChannel::Create(target, credentials, args, options);
}

void ExpectAllReturned(const std::shared_ptr<grpc::ChannelInterface>& channel) {
  const auto pooled = std::dynamic_pointer_cast<PooledChannel>(channel);
  if (pooled == nullptr) return;
  EXPECT_TRUE(pooled->Shutdown(absl::Now() + absl::FromChrono(kPatience)));
}

class PooledChannelWaitTest : public testing::TestWithParam<std::tuple<bool, CallApi, RpcType>> {
 protected:
  static bool Pooled() { return std::get<0>(GetParam()); }
  CallResult Call(grpc::ClientContext* context) {
    return MakeCall(std::get<1>(GetParam()), std::get<2>(GetParam()), channel_, context,
                    EchoRequests(1));
  }

  const std::string address_ = UnusedAddress();
  const std::shared_ptr<grpc::ChannelInterface> channel_ = Connect(Pooled(), address_);
};

TEST_P(PooledChannelWaitTest, FailsAtOnceUnlessToldToWait) {
  grpc::ClientContext context;
  context.set_deadline(Patiently());
  const CallResult result = Call(&context);
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(result.status.error_message(), testing::HasSubstr("onnect"));
  ExpectAllReturned(channel_);
}

TEST_P(PooledChannelWaitTest, WaitsUntilItsDeadline) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(20));
  context.set_wait_for_ready(true);
  EXPECT_EQ(Call(&context).status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  ExpectAllReturned(channel_);
}

TEST_P(PooledChannelWaitTest, WaitsUntilItIsCancelled) {
  grpc::ClientContext context;
  context.set_deadline(Patiently());
  context.set_wait_for_ready(true);
  context.TryCancel();
  EXPECT_EQ(Call(&context).status.error_code(), grpc::StatusCode::CANCELLED);
  ExpectAllReturned(channel_);
}

std::string NameOfCase(const testing::TestParamInfo<PooledChannelWaitTest::ParamType>& info) {
  const char* const apis[] = {"Sync", "Async", "Callback", "GenericAsync", "GenericCallback"};
  const char* const types[] = {"Unary", "ClientStream", "ServerStream", "BidiStream"};
  return absl::StrCat(std::get<0>(info.param) ? "Pooled" : "Ordinary",
                      apis[static_cast<int>(std::get<1>(info.param))],
                      types[static_cast<int>(std::get<2>(info.param))]);
}

INSTANTIATE_TEST_SUITE_P(All, PooledChannelWaitTest,
                         testing::Combine(testing::Bool(), testing::ValuesIn(kCallApis),
                                          testing::Values(RpcType::kUnary, RpcType::kClientStream,
                                                          RpcType::kServerStream,
                                                          RpcType::kBidiStream)),
                         NameOfCase);

class PooledChannelAppearTest : public testing::TestWithParam<bool> {};

TEST_P(PooledChannelAppearTest, WaitingRpcsEndWhenTheServerAppears) {
  constexpr int kRpcs = 20;
  ApiServerOptions options;
  options.address = UnusedAddress();
  const auto channel = Connect(GetParam(), options.address);
  const auto stub = Echo::NewStub(channel);
  struct Rpc {
    grpc::ClientContext context;
    EchoResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<EchoResponse>> reader;
  };
  grpc::CompletionQueue queue;
  Rpc rpcs[kRpcs];
  for (Rpc& rpc : rpcs) {
    rpc.context.set_deadline(Patiently());
    rpc.context.set_wait_for_ready(true);
    rpc.reader = stub->AsyncUnary(&rpc.context, {}, &queue);
    rpc.reader->Finish(&rpc.response, &rpc.status, &rpc);
  }
  const ApiServer server(options);
  void* tag;
  bool ok;
  for (int i = 0; i < kRpcs; ++i) {
    ASSERT_TRUE(queue.Next(&tag, &ok));
    const grpc::Status& status = static_cast<Rpc*>(tag)->status;
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  queue.Shutdown();
  EXPECT_FALSE(queue.Next(&tag, &ok));
  EXPECT_EQ(server.seen().size(), kRpcs);
  ExpectAllReturned(channel);
}

// The server goes between two RPCs; the second waits for its return.
TEST_P(PooledChannelAppearTest, WaitingRpcsEndWhenTheServerReturns) {
  ApiServerOptions options;
  options.address = UnusedAddress();
  const auto channel = Connect(GetParam(), options.address);
  const auto stub = Echo::NewStub(channel);
  {
    const ApiServer server(options);
    EXPECT_TRUE(predial::Echo(*stub).ok());
  }
  grpc::ClientContext context;
  context.set_deadline(Patiently());
  context.set_wait_for_ready(true);
  // Not begun before the channel has failed to connect again: an RPC may be lost with the
  // connection that it is on.
  EXPECT_TRUE(Eventually([&] {
    const grpc::Status status = predial::Echo(*stub, "gone", /*wait_for_ready=*/false);
    return absl::StrContains(status.error_message(), "failed to connect");
  }));
  grpc::CompletionQueue queue;
  const auto reader = stub->AsyncUnary(&context, {}, &queue);
  EchoResponse response;
  grpc::Status status;
  reader->Finish(&response, &status, nullptr);
  const ApiServer server(options);
  void* tag;
  bool ok;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_TRUE(status.ok()) << status.error_message();
  queue.Shutdown();
  EXPECT_FALSE(queue.Next(&tag, &ok));
  ExpectAllReturned(channel);
}

INSTANTIATE_TEST_SUITE_P(All, PooledChannelAppearTest, testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "Pooled" : "Ordinary");
});

}  // namespace
}  // namespace predial
