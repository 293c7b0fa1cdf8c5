// Managed members: what is theirs alone. What all members have in common is tested over both kinds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "plugin/api_test_calls.h"
#include "plugin/api_test_channels.h"
#include "plugin/api_test_server.h"
#include "plugin/channel_test_util.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/dialer.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/processors.h"
#include "plugin/io/socket_adoption.h"
#include "plugin/io/tcp_dialer.h"
#include "plugin/io/unique_fd.h"
#include "plugin/options.h"
#include "plugin/pooled_channel.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::shared_ptr<PooledChannel> Create(ChannelKind kind, const std::string& target,
                                      PoolOptions options = {}) {
  auto channel = PooledChannel::TryCreate(target, ChannelCredentialsOf(kind), {},
                                          PoolOptionsOf(kind, std::move(options)));
  EXPECT_TRUE(channel.ok()) << channel.status();
  return channel.ok() ? *channel : nullptr;
}

int64_t Dials(const PoolStats& stats, DialResult result) {
  return stats.dials[static_cast<int>(result)];
}

class PooledChannelManagedTest : public testing::TestWithParam<ChannelKind> {
 protected:
  std::shared_ptr<PooledChannel> Connect(PoolOptions options = {}) {
    return Connect(server_.target(), std::move(options));
  }
  static std::shared_ptr<PooledChannel> Connect(const std::string& target,
                                                PoolOptions options = {}) {
    auto channel = Create(GetParam(), target, std::move(options));
    EXPECT_TRUE(WaitForReadyMembers(*channel, 2)) << channel->Stats().last_error;
    return channel;
  }
  static void ExpectRpcsWork(const std::shared_ptr<PooledChannel>& channel) {
    const auto stub = echo::v1::Echo::NewStub(channel);
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(Echo(*stub).ok());
    const PoolStats stats = channel->Stats();
    EXPECT_EQ(stats.checkouts_new, 2);
    EXPECT_EQ(stats.checkouts_reused, 8);
    EXPECT_EQ(stats.checkouts_anchor, 0);
  }

  const ApiServer server_{ServerOptionsOf(GetParam())};
};

TEST_P(PooledChannelManagedTest, UseSocketsThatWereDialedBefore) {
  const auto channel = Connect();
  ExpectRpcsWork(channel);
  const PoolStats stats = channel->Stats();
  EXPECT_EQ(stats.mode, "managed");
  EXPECT_THAT(stats.mode_reason, HasSubstr(IsSecure(GetParam()) ? "credentials" : "kManaged"));
  EXPECT_EQ(stats.adoption, "ok");
  EXPECT_EQ(stats.sockets_adopted, 2);
  EXPECT_EQ(stats.dials_by_grpc, 0);
  EXPECT_GE(Dials(stats, DialResult::kOk), 2);
  EXPECT_THAT(stats.warnings, IsEmpty());
}

TEST_P(PooledChannelManagedTest, GoWithoutWhenTheSelfTestFails) {
  SocketAdoption::FailSelfTestForTesting(true);
  const auto channel = Connect();
  SocketAdoption::FailSelfTestForTesting(false);
  ExpectRpcsWork(channel);
  const PoolStats stats = channel->Stats();
  EXPECT_EQ(stats.adoption, "made to fail by a test");
  EXPECT_EQ(stats.sockets_adopted, 0);
  EXPECT_EQ(stats.dials_by_grpc, 2);
  EXPECT_EQ(Dials(stats, DialResult::kOk), 2);
  EXPECT_THAT(stats.warnings, ElementsAre(HasSubstr("made to fail by a test")));
  EXPECT_EQ(stats.endpoints.at(0).spares, 0);
}

// What gRPC says of its dials is told apart.
TEST_P(PooledChannelManagedTest, GoWithoutAndAreRefused) {
  const UniqueFd bound = BindSocket("127.0.0.1:0");  // and not listening
  const std::string address = LocalAddress(bound.get()).ToString();
  SocketAdoption::FailSelfTestForTesting(true);
  const auto channel = Create(GetParam(), absl::StrCat("ipv4:", address));
  SocketAdoption::FailSelfTestForTesting(false);
  EXPECT_TRUE(
      Eventually([&] { return channel->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE; }));
  const PoolStats stats = channel->Stats();
  EXPECT_GT(Dials(stats, DialResult::kRefused), 0);
  EXPECT_EQ(Dials(stats, DialResult::kHandshake), 0);
  EXPECT_THAT(stats.last_error, testing::AllOf(HasSubstr(address), HasSubstr("refused")));
  EXPECT_THAT(stats.closed, testing::Each(0));
}

TEST_P(PooledChannelManagedTest, GoWithoutToUnixSockets) {
  ApiServerOptions options = ServerOptionsOf(GetParam());
  options.address = UnusedAddress();
  const ApiServer server(options);
  const auto channel = Connect(server.target());
  ExpectRpcsWork(channel);
  EXPECT_EQ(channel->Stats().sockets_adopted, 0);
  EXPECT_EQ(channel->Stats().dials_by_grpc, 2);
  EXPECT_THAT(channel->Stats().warnings, IsEmpty());
}

TEST_P(PooledChannelManagedTest, GoWithoutBesideAMutatorOfTheUsers) {
  grpc::ChannelArguments args;
  const auto counters = std::make_shared<AdoptionCounters>();
  SocketAdoption own(counters);  // any mutator
  ASSERT_TRUE(own.AddTo(args));
  auto channel = *PooledChannel::TryCreate(server_.target(), ChannelCredentialsOf(GetParam()), args,
                                           PoolOptionsOf(GetParam()));
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  ExpectRpcsWork(channel);
  EXPECT_GE(counters->dialed.load(), 2);
  EXPECT_THAT(channel->Stats().warnings, ElementsAre(HasSubstr("mutator of their own")));
}

// Dials as the built-in one does, and counts.
class CountingDialer final : public Dialer {
 public:
  std::unique_ptr<PendingDial> Dial(EventLoop& loop, const std::vector<Address>& addresses,
                                    Done done) override {
    ++dials_;
    return dialer_->Dial(loop, addresses, std::move(done));
  }
  int dials() const { return dials_.load(); }

 private:
  const std::shared_ptr<Dialer> dialer_ = CreateTcpDialer({});
  std::atomic<int> dials_{0};
};

TEST_P(PooledChannelManagedTest, UseTheUsersDialer) {
  PoolOptions options;
  const auto dialer = std::make_shared<CountingDialer>();
  options.dialer = dialer;
  options.health.enabled = false;
  const auto channel = Connect(options);
  ExpectRpcsWork(channel);
  const PoolStats stats = channel->Stats();
  EXPECT_EQ(stats.sockets_adopted, 2);
  EXPECT_EQ(stats.dials_by_grpc, 0);
  EXPECT_GE(dialer->dials(), 3);  // one was spent on a trial
  EXPECT_THAT(stats.warnings, IsEmpty());
}

// Its sockets know already that they are connected: gRPC's connect() would fail.
class BlockingDialer final : public Dialer {
 public:
  std::unique_ptr<PendingDial> Dial(EventLoop& loop, const std::vector<Address>& addresses,
                                    Done done) override {
    return std::make_unique<Pending>(loop, addresses.at(0), std::move(done));
  }

 private:
  class Pending final : public PendingDial {
   public:
    Pending(EventLoop& loop, const Address& peer, Done done) : loop_(loop) {
      timer_ = loop_.RunAt(loop_.Now(), [peer, done = std::move(done)]() mutable {
        Done moved = std::move(done);
        moved(DialedSocket{ConnectTo(peer), peer});
      });
    }
    ~Pending() override { loop_.Cancel(timer_); }

   private:
    EventLoop& loop_;
    EventLoop::TimerId timer_;
  };
};

TEST_P(PooledChannelManagedTest, GoWithoutADialerWhoseSocketsCannotBeUsed) {
  PoolOptions options;
  options.dialer = std::make_shared<BlockingDialer>();
  const auto channel = Connect(options);
  ExpectRpcsWork(channel);
  const PoolStats stats = channel->Stats();
  EXPECT_EQ(stats.sockets_adopted, 0);
  EXPECT_THAT(stats.warnings, ElementsAre(testing::AllOf(HasSubstr("PoolOptions::dialer's sockets"),
                                                         HasSubstr("connect() blocked"))));
  EXPECT_THAT(stats.adoption, HasSubstr("connect() blocked"));
  EXPECT_EQ(stats.endpoints.at(0).spares, 0);
}

TEST_P(PooledChannelManagedTest, AreReplacedWhenTheirServerEndsThem) {
  EchoServerOptions options;
  options.max_connection_age = absl::Milliseconds(100);
  const auto server = StartServer(ServerOptionsOf(GetParam(), options));
  const auto channel = Connect(TargetOf(*server));
  std::atomic<int64_t> rpcs{0};
  std::atomic<bool> enough{false};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      const auto stub = echo::v1::Echo::NewStub(channel);
      while (!enough) {
        const grpc::Status status = Echo(*stub, "hello", /*wait_for_ready=*/false);
        EXPECT_TRUE(status.ok()) << status.error_message();
        ++rpcs;
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return channel->Stats().sockets_adopted >= 12; }));
  enough = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_GT(rpcs.load(), 100);
  const PoolStats stats = channel->Stats();
  EXPECT_THAT(stats.rpcs_lost, testing::Each(0));
  EXPECT_THAT(stats.rpcs_retried, testing::Each(0));
}

// Their channels would connect anew and be refused, while there is another server.
TEST_P(PooledChannelManagedTest, LoseNoRpcToAServerThatIsGone) {
  for (const bool alive_check : {true, false}) {
    auto leaving = std::make_unique<ApiServer>(ServerOptionsOf(GetParam()));
    grpc::ChannelArguments args;
    // One certificate for both: under their common name.
    args.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
    PoolOptions options;
    options.alive_check = alive_check;
    const auto channel = *PooledChannel::TryCreate(
        absl::StrCat("ipv4:", leaving->address(), ",", server_.address()),
        ChannelCredentialsOf(GetParam()), args, PoolOptionsOf(GetParam(), options));
    ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
    const auto stub = echo::v1::Echo::NewStub(channel);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(Echo(*stub).ok());
    leaving.reset();
    for (int i = 0; i < 100; ++i) {
      const grpc::Status status = Echo(*stub, "hello", /*wait_for_ready=*/false);
      EXPECT_TRUE(status.ok()) << "RPC " << i << ": " << status.error_message();
    }
    EXPECT_THAT(channel->Stats().rpcs_lost, testing::Each(0));
  }
}

// Nobody has a socket to watch.
TEST_P(PooledChannelManagedTest, AreReplacedWithoutAWatchOnTheirSocket) {
  EchoServerOptions options;
  options.max_connection_age = absl::Milliseconds(100);
  const auto server = StartServer(ServerOptionsOf(GetParam(), options));
  SocketAdoption::FailSelfTestForTesting(true);
  const auto channel = Connect(TargetOf(*server));
  SocketAdoption::FailSelfTestForTesting(false);
  const auto stub = echo::v1::Echo::NewStub(channel);
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(Echo(*stub).ok());
    return channel->Stats().dials_by_grpc >= 8;
  }));
  EXPECT_GE(channel->Stats().closed[static_cast<int>(CloseReason::kGoingAway)] +
                channel->Stats().closed[static_cast<int>(CloseReason::kRotated)],
            6);
}

TEST_P(PooledChannelManagedTest, LearnTheStreamLimitWhereItCanBeSeen) {
  EchoServerOptions options;
  options.max_concurrent_streams = 7;
  const auto server = StartServer(ServerOptionsOf(GetParam(), options));
  const auto channel = Connect(TargetOf(*server));
  EXPECT_EQ(channel->Stats().peer_max_concurrent_streams, IsSecure(GetParam()) ? 0u : 7u);
}

// What cannot be seen is assumed to be 100: so many as 80 % of that need.
TEST_P(PooledChannelManagedTest, GrowByALimitThatTheyCannotSee) {
  if (!IsSecure(GetParam())) return;
  constexpr int kRpcs = 1000;
  struct Rpc {
    grpc::ClientContext context;
    echo::v1::EchoRequest request;
    echo::v1::EchoResponse response;
  };
  const auto channel = Connect();
  const auto stub = echo::v1::Echo::NewStub(channel);
  std::vector<std::unique_ptr<Rpc>> rpcs;
  std::atomic<int> running{kRpcs};
  for (int i = 0; i < kRpcs; ++i) {
    rpcs.push_back(std::make_unique<Rpc>());
    Rpc& rpc = *rpcs.back();
    rpc.request.mutable_delay()->set_seconds(60);
    stub->async()->Unary(
        &rpc.context, &rpc.request, &rpc.response, [&](const grpc::Status& status) {
          EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED) << status.error_message();
          --running;
        });
  }
  const int needed = std::clamp(2 * UsableProcessors(), 11, 16);
  EXPECT_TRUE(WaitForReadyMembers(*channel, needed)) << ReadyMembers(*channel);
  EXPECT_EQ(channel->Stats().connections_wanted, needed);
  EXPECT_EQ(channel->Stats().peer_max_concurrent_streams, 0u);
  for (const auto& rpc : rpcs) rpc->context.TryCancel();
  EXPECT_TRUE(Eventually([&] { return running == 0; }));
}

TEST_P(PooledChannelManagedTest, HonorAServiceConfig) {
  grpc::ChannelArguments args;
  args.SetServiceConfigJSON(R"({"methodConfig": [{"name": [{}], "timeout": "0.05s"}]})");
  const ChannelUnderTest channel(GetParam(), server_.target(), args);
  EXPECT_THAT(channel.pooled()->Stats().mode, "managed");
  EchoRequests slow(1);
  slow[0].mutable_delay()->set_seconds(60);
  grpc::ClientContext context;
  const CallResult result =
      MakeCall(CallApi::kSync, RpcType::kUnary, channel.get(), &context, slow);
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(channel.pooled()->Stats().sockets_adopted, 2);
}

TEST_P(PooledChannelManagedTest, LeaveTheWholeTargetToAPolicy) {
  const ApiServer other(ServerOptionsOf(GetParam()));
  grpc::ChannelArguments args;
  args.SetLoadBalancingPolicyName("round_robin");
  // One certificate for both: under their common name.
  args.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  const std::string target = absl::StrCat("ipv4:", server_.address(), ",", other.address());
  const ChannelUnderTest channel(GetParam(), target, args);
  const auto stub = echo::v1::Echo::NewStub(channel.get());
  // Each member goes to both.
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(Echo(*stub).ok());
    return server_.seen().size() >= 2 && other.seen().size() >= 2;
  }));
  const PoolStats stats = channel.pooled()->Stats();
  ASSERT_EQ(stats.endpoints.size(), 1u);
  EXPECT_EQ(stats.endpoints[0].address, target);
  EXPECT_EQ(stats.sockets_adopted, 0);
  EXPECT_THAT(stats.mode_reason, HasSubstr("grpc.lb_policy_name"));
  EXPECT_THAT(stats.adoption, HasSubstr("balances the target"));
  EXPECT_THAT(stats.warnings, IsEmpty());
  channel.ExpectAllReturned();
}

INSTANTIATE_TEST_SUITE_P(All, PooledChannelManagedTest,
                         testing::Values(ChannelKind::kManaged, ChannelKind::kTls,
                                         ChannelKind::kMutualTls),
                         [](const auto& info) { return NameOf(info.param); });

// Without a bootstrap file, gRPC knows no control plane: the error is its own.
TEST(PooledChannelXdsTest, IsLeftToGrpc) {
  const auto channel =
      PooledChannel::TryCreate("xds:///orders", grpc::InsecureChannelCredentials());
  ASSERT_TRUE(channel.ok()) << channel.status();
  EXPECT_EQ((*channel)->Stats().mode, "managed");
  const grpc::Status status =
      Echo(*echo::v1::Echo::NewStub(*channel), "hello", /*wait_for_ready=*/false);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
}

}  // namespace
}  // namespace predial
