// PooledChannel over time: connecting, growing, shrinking, servers that go and come, shutting down.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "examples/echo/socket_dir.h"
#include "plugin/api_test_channels.h"
#include "plugin/channel_test_util.h"
#include "plugin/pooled_channel.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

class PooledChannelLifeTest : public testing::TestWithParam<ChannelKind> {
 protected:
  static std::unique_ptr<EchoServer> Serve(const EchoServerOptions& options = {}) {
    return StartServer(ServerOptionsOf(GetParam(), options));
  }
  static std::shared_ptr<PooledChannel> Connect(const std::string& target, PoolOptions options = {},
                                                grpc::ChannelArguments args = {}) {
    // A list of addresses is no name that a certificate could have.
    if (IsSecure(GetParam())) args.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
    auto channel = PooledChannel::TryCreate(target, ChannelCredentialsOf(GetParam()), args,
                                            PoolOptionsOf(GetParam(), std::move(options)));
    EXPECT_TRUE(channel.ok()) << channel.status();
    return channel.ok() ? *channel : nullptr;
  }

  std::unique_ptr<EchoServer> server_ = Serve();
};

TEST_P(PooledChannelLifeTest, KeepsTheMinimumReadyWithoutAnyRpc) {
  PoolOptions options;
  options.connections_min = 3;
  const auto channel = Connect(TargetOf(*server_), options);
  EXPECT_TRUE(channel->WaitForConnected(std::chrono::system_clock::now() + kPatience));
  EXPECT_TRUE(WaitForReadyMembers(*channel, 3));
  EXPECT_EQ(channel->Stats().state, "READY");
  EXPECT_EQ(server_->rpcs(), 0);
}

TEST_P(PooledChannelLifeTest, ReusesItsConnections) {
  const auto channel = Connect(TargetOf(*server_));
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = Echo::NewStub(channel);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(predial::Echo(*stub).ok());
  const PoolStats stats = channel->Stats();
  EXPECT_EQ(stats.checkouts_new, 2);
  EXPECT_EQ(stats.checkouts_reused, 998);
  EXPECT_EQ(stats.checkouts_anchor, 0);
  EXPECT_EQ(stats.leases, 0);
  ASSERT_EQ(stats.endpoints.size(), 1u);
  EXPECT_EQ(stats.endpoints[0].rpcs, 1000);
  EXPECT_EQ(stats.endpoints[0].address, server_->address());
}

TEST_P(PooledChannelLifeTest, ReachesAUnixSocket) {
  EchoServerOptions options;
  const SocketDir dir;
  options.address = absl::StrCat("unix:", dir.path(), "/life");
  const auto server = Serve(options);
  ASSERT_NE(server, nullptr);
  const auto channel = Connect(options.address);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  EXPECT_TRUE(predial::Echo(*Echo::NewStub(channel)).ok());
}

TEST_P(PooledChannelLifeTest, ReachesIpv6AndNames) {
  EchoServerOptions options;
  options.address = "[::1]:0";
  const auto server = Serve(options);
  ASSERT_NE(server, nullptr);
  for (const std::string& target : {absl::StrCat("ipv6:", server->address()),
                                    absl::StrCat("dns:///localhost:", server_->port())}) {
    const auto channel = Connect(target);
    ASSERT_TRUE(WaitForReadyMembers(*channel, 2)) << target << ": " << channel->Stats().last_error;
    EXPECT_TRUE(predial::Echo(*Echo::NewStub(channel)).ok()) << target;
  }
}

TEST_P(PooledChannelLifeTest, KnowsThePeersStreamLimitBeforeTheFirstRpcAndGrowsByIt) {
  if (IsSecure(GetParam())) return;  // nobody can look
  EchoServerOptions limited;
  limited.max_concurrent_streams = 5;
  const auto server = Serve(limited);
  const auto channel = Connect(TargetOf(*server));
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  EXPECT_EQ(channel->Stats().peer_max_concurrent_streams, 5u);
  const auto stub = Echo::NewStub(channel);
  constexpr int kStreams = 20;
  grpc::ClientContext contexts[kStreams];
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoResponse>>> streams;
  // Each must be answered while all before it are open: an ordinary channel stops at 5.
  for (grpc::ClientContext& context : contexts) {
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    streams.push_back(stub->BidiStream(&context));
    ASSERT_TRUE(streams.back()->Write(EchoRequest()));
    ASSERT_TRUE(Eventually([&] {
      const PoolStats stats = channel->Stats();
      return stats.endpoints[0].ready * 4 >= static_cast<int>(streams.size());
    }));
  }
  for (auto& stream : streams) {
    EchoResponse response;
    EXPECT_TRUE(stream->Read(&response));
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST_P(PooledChannelLifeTest, ChecksTheHealthOfQuietMembers) {
  PoolOptions options;
  options.health.interval = absl::Milliseconds(100);
  options.health.timeout = absl::Milliseconds(100);
  const auto channel = Connect(TargetOf(*server_), options);
  EXPECT_TRUE(Eventually([&] {
    return channel->Stats().health_checks[static_cast<int>(HealthResult::kServing)] > 5;
  }));
  EXPECT_EQ(channel->Stats().checkouts_new, 0);  // checks are not RPCs of the user's
}

TEST_P(PooledChannelLifeTest, AServerWithoutHealthServiceCountsAsHealthy) {
  EchoServerOptions without;
  without.health = false;
  const auto server = Serve(without);
  PoolOptions options;
  options.health.interval = absl::Milliseconds(100);
  options.health.timeout = absl::Milliseconds(100);
  const auto channel = Connect(TargetOf(*server), options);
  EXPECT_TRUE(Eventually([&] {
    return channel->Stats().health_checks[static_cast<int>(HealthResult::kUnimplemented)] > 5;
  }));
  EXPECT_EQ(ReadyMembers(*channel), 2);
  EXPECT_EQ(channel->Stats().ejections, 0);
}

TEST_P(PooledChannelLifeTest, KeepsSparesWhileItIsUsed) {
  PoolOptions options;
  options.spares = 2;
  const auto channel = Connect(TargetOf(*server_), options);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  EXPECT_EQ(channel->Stats().endpoints[0].spares, 0);
  EXPECT_TRUE(predial::Echo(*Echo::NewStub(channel)).ok());
  EXPECT_TRUE(Eventually([&] { return channel->Stats().endpoints[0].spares == 2; }));
}

TEST_P(PooledChannelLifeTest, AnRpcBeforeTheFirstMemberIsReadyTakesTheAnchor) {
  const auto channel = Connect(TargetOf(*server_));
  const auto stub = Echo::NewStub(channel);
  EXPECT_TRUE(predial::Echo(*stub, "early", /*wait_for_ready=*/false).ok());
}

TEST_P(PooledChannelLifeTest, GrowsWithTheLoadAndShrinksAfterIt) {
  PoolOptions options;
  options.streams_per_connection_target = 4;
  options.connections_max = 5;
  options.idle_timeout = absl::Milliseconds(200);
  const auto channel = Connect(TargetOf(*server_), options);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = Echo::NewStub(channel);
  constexpr int kRpcs = 16;
  grpc::ClientContext contexts[kRpcs];
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoResponse>>> streams;
  for (grpc::ClientContext& context : contexts) streams.push_back(stub->BidiStream(&context));
  EXPECT_TRUE(WaitForReadyMembers(*channel, 4));
  EXPECT_EQ(channel->Stats().leases, kRpcs);
  for (auto& stream : streams) {
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }
  EXPECT_TRUE(WaitForReadyMembers(*channel, 2));
  EXPECT_EQ(channel->Stats().leases, 0);
}

TEST_P(PooledChannelLifeTest, ReplacesConnectionsWhenTheServerComesBack) {
  const auto channel = Connect(TargetOf(*server_));
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = Echo::NewStub(channel);
  ASSERT_TRUE(predial::Echo(*stub).ok());
  EchoServerOptions same;
  same.address = server_->address();
  server_.reset();
  EXPECT_TRUE(WaitForReadyMembers(*channel, 0));
  EXPECT_TRUE(
      Eventually([&] { return channel->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE; }));
  const grpc::Status down = predial::Echo(*stub, "down", /*wait_for_ready=*/false);
  EXPECT_EQ(down.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(channel->Stats().last_error, "");
  server_ = Serve(same);
  EXPECT_TRUE(predial::Echo(*stub).ok());
  EXPECT_TRUE(WaitForReadyMembers(*channel, 2));
}

TEST_P(PooledChannelLifeTest, AServerThatIsNotServingIsLeftAndReturnedTo) {
  const auto other = Serve();
  const auto channel = Connect(absl::StrCat("ipv4:", server_->address(), ",", other->address()));
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  server_->SetServing(false);
  ASSERT_TRUE(Eventually([&] { return !channel->Stats().endpoints[0].serving; }));
  const auto stub = Echo::NewStub(channel);
  const int64_t before = server_->rpcs();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(predial::Echo(*stub).ok());
  EXPECT_EQ(server_->rpcs(), before);
  server_->SetServing(true);
  EXPECT_TRUE(Eventually([&] { return channel->Stats().endpoints[0].ready == 1; }));
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(predial::Echo(*stub).ok());
    return server_->rpcs() > before;
  }));
  EXPECT_EQ(channel->Stats().ejections, 1);
  EXPECT_EQ(channel->Stats().readmissions, 1);
}

// RPCs that wait on the anchor, of this outage or an earlier one, do not wait for its own backoff,
// which is an hour here: the pool finds the server back, and wakes them.
TEST_P(PooledChannelLifeTest, RpcsThatWaitForReadySurviveOutageAfterOutage) {
  PoolOptions options;
  options.backoff.under_demand = absl::Milliseconds(20);
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 3600 * 1000);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 3600 * 1000);
  const auto channel = Connect(TargetOf(*server_), options, args);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  EchoServerOptions same;
  same.address = server_->address();
  constexpr int kThreads = 8;
  std::atomic<bool> stop{false};
  std::atomic<int> late{0};
  std::atomic<int> ended[kThreads] = {};
  std::vector<std::thread> threads;
  for (std::atomic<int>& count : ended) {
    threads.emplace_back([&] {
      const auto stub = Echo::NewStub(channel);
      while (!stop) {
        if (predial::Echo(*stub).error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) ++late;
        ++count;
      }
    });
  }
  for (int outage = 0; outage < 10 && late == 0; ++outage) {
    const int64_t before = channel->Stats().checkouts_anchor;
    server_.reset();
    // On a managed member gRPC may retry them: then they wait there.
    const bool managed = GetParam() != ChannelKind::kMembers;
    EXPECT_TRUE(Eventually([&] {
      return channel->Stats().checkouts_anchor > before || (managed && ReadyMembers(*channel) == 0);
    }));
    server_ = Serve(same);
    ASSERT_NE(server_, nullptr);
    // Every thread gets on: its RPC that waited has ended, and one more.
    for (std::atomic<int>& count : ended) {
      const int had = count;
      EXPECT_TRUE(Eventually([&] { return count >= had + 2; }));
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(late, 0);
}

TEST_P(PooledChannelLifeTest, ShutdownWaitsForRpcsAndRefusesNewOnes) {
  const auto channel = Connect(TargetOf(*server_));
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = Echo::NewStub(channel);
  grpc::ClientContext context;
  const auto stream = stub->BidiStream(&context);
  ASSERT_TRUE(stream->Write(EchoRequest()));
  EXPECT_FALSE(channel->Shutdown(absl::Now() - absl::Seconds(1)));
  EXPECT_EQ(channel->GetState(false), GRPC_CHANNEL_SHUTDOWN);
  const grpc::Status refused = predial::Echo(*stub);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_NE(refused.error_message().find("was shut down"), std::string::npos);
  // Its time was up: the stream's connection was closed.
  stream->WritesDone();
  EchoResponse response;
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(channel->Shutdown(absl::InfiniteFuture()));
}

TEST_P(PooledChannelLifeTest, ShutdownIsGracefulWithinItsDeadline) {
  const auto channel = Connect(TargetOf(*server_));
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = Echo::NewStub(channel);
  grpc::ClientContext context;
  const auto stream = stub->BidiStream(&context);
  ASSERT_TRUE(stream->Write(EchoRequest()));
  std::thread finisher([&] {
    ASSERT_TRUE(Eventually([&] { return channel->GetState(false) == GRPC_CHANNEL_SHUTDOWN; }));
    stream->WritesDone();
    EchoResponse response;
    EXPECT_TRUE(stream->Read(&response));
    EXPECT_TRUE(stream->Finish().ok());
  });
  EXPECT_TRUE(channel->Shutdown(absl::Now() + absl::FromChrono(kPatience)));
  finisher.join();
}

TEST_P(PooledChannelLifeTest, AnRpcOutlivesTheChannelThatStartedIt) {
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoResponse>> stream;
  {
    const auto channel = Connect(TargetOf(*server_));
    ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
    stream = Echo::NewStub(channel)->BidiStream(&context);
  }
  EXPECT_TRUE(stream->Write(EchoRequest()));
  EchoResponse response;
  EXPECT_TRUE(stream->Read(&response));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_P(PooledChannelLifeTest, ManyThreadsCallWhileTheServerComesAndGoes) {
  const auto other = Serve();
  const auto channel = Connect(absl::StrCat("ipv4:", server_->address(), ",", other->address()));
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      const auto stub = Echo::NewStub(channel);
      while (!stop) {
        const grpc::Status status = predial::Echo(*stub);
        // What was in flight when the server went is lost; nothing else may be.
        const bool fine = status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                          status.error_code() == grpc::StatusCode::CANCELLED;
        if (!fine) ++wrong;
      }
    });
  }
  EchoServerOptions same;
  same.address = server_->address();
  for (int round = 0; round < 3; ++round) {
    server_.reset();
    EXPECT_TRUE(Eventually([&] { return channel->Stats().endpoints[0].ready == 0; }));
    server_ = Serve(same);
    ASSERT_NE(server_, nullptr);
    EXPECT_TRUE(Eventually([&] { return channel->Stats().endpoints[0].ready > 0; }));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(channel->Stats().leases, 0);
}

INSTANTIATE_TEST_SUITE_P(All, PooledChannelLifeTest, testing::ValuesIn(kMemberKinds),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace predial
