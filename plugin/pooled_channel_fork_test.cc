// A child of fork() while its parent has a pool: the child cannot use it, and does it no harm.
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "examples/echo/process.h"
#include "plugin/api_test_calls.h"
#include "plugin/api_test_channels.h"
#include "plugin/fork_test_util.h"
#include "plugin/observer.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;

grpc::Status Call(CallApi api, RpcType type,
                  const std::shared_ptr<grpc::ChannelInterface>& channel) {
  grpc::ClientContext context;
  context.set_deadline(Patiently());
  return MakeCall(api, type, channel, &context, {EchoRequest()}).status;
}

bool NamesFork(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::FAILED_PRECONDITION &&
         status.error_message().find("fork") != std::string::npos;
}

// In the child. 0, or the number of what is wrong.
int UseInChild(std::shared_ptr<PooledChannel>* channel, const std::string& target) {
  int step = 1;
  for (const CallApi api : {CallApi::kSync, CallApi::kAsync, CallApi::kGenericAsync}) {
    for (const RpcType type : {RpcType::kUnary, RpcType::kServerStream}) {
      if (api == CallApi::kGenericAsync && type != RpcType::kUnary) continue;
      if (!NamesFork(Call(api, type, *channel))) return step;
      ++step;
    }
  }
  const PoolStats stats = (*channel)->Stats();
  if (stats.state != "SHUTDOWN") return 10;
  if (stats.last_error.find("fork") == std::string::npos) return 11;
  if ((*channel)->GetState(true) != GRPC_CHANNEL_SHUTDOWN) return 12;
  if ((*channel)->WaitForConnected(std::chrono::system_clock::now())) return 13;
  (*channel)->ReplaceConnections();
  (*channel)->Suspend();
  (*channel)->Resume();
  if (!(*channel)->Shutdown(absl::InfiniteFuture())) return 14;
  channel->reset();
  // gRPC does not work here, so neither does another pool, and it says so.
  const auto made = PooledChannel::TryCreate(target, grpc::InsecureChannelCredentials());
  if (made.status().code() != absl::StatusCode::kFailedPrecondition) return 15;
  const auto lame = PooledChannel::Create(target, grpc::InsecureChannelCredentials());
  if (!NamesFork(Call(CallApi::kSync, RpcType::kUnary, lame))) return 16;
  return 0;
}

// No RPC begins at the moment of the fork: gRPC takes a lock for that, and held by another thread
// it would stay locked in the child. The parent has one in flight, and makes others in between.
TEST(PooledChannelForkTest, AChildFailsAndItsParentGoesOn) {
  constexpr int kForks = 20;
  auto server = Process::Start({"examples/echo/echo_server", "--port=0"});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto line = (*server)->ReadLine();
  ASSERT_TRUE(line.ok()) << line.status();
  absl::string_view address = *line;
  ASSERT_TRUE(absl::ConsumePrefix(&address, "listening on ")) << *line;
  const std::string target = absl::StrCat("ipv4:", address);
  PoolOptions options;
  options.overflow = OverflowPolicy::kWait;
  options.streams_per_connection_max = 1;
  options.connections_max = 2;
  options.proven_lifetime = false;  // nothing is to be closed
  auto channel = PooledChannel::Create(target, grpc::InsecureChannelCredentials(), options);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = echo::v1::Echo::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(Patiently());
  const auto stream = stub->BidiStream(&context);
  echo::v1::EchoResponse response;
  for (int i = 0; i < kForks; ++i) {
    EXPECT_TRUE(stream->Write({}) && stream->Read(&response));
    EXPECT_EQ(RunInChild([&] { return UseInChild(&channel, target); }), 0);
    EXPECT_TRUE(stream->Write({}) && stream->Read(&response));
    const grpc::Status status = Call(CallApi::kSync, RpcType::kUnary, channel);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  const PoolStats stats = channel->Stats();
  EXPECT_EQ(stats.state, "READY");
  EXPECT_EQ(stats.checkouts_anchor, 0);
  EXPECT_EQ(stats.checkouts_new + stats.checkouts_reused, kForks + 1);
  for (int i = 0; i < kCloseReasons; ++i) {
    EXPECT_EQ(stats.closed[i], 0) << ToString(static_cast<CloseReason>(i));
  }
}

}  // namespace
}  // namespace predial
