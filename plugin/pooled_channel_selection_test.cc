// Which connection an RPC takes, and which server a connection leads to: end to end.
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/accept_relay.h"
#include "plugin/api_test_server.h"
#include "plugin/channel_test_util.h"
#include "plugin/core/spread.h"
#include "plugin/core/types.h"
#include "plugin/named_server.h"
#include "plugin/pooled_channel.h"

namespace predial {
namespace {

using Names = std::map<std::string, int>;

Names Backends(const PooledChannel& channel) {
  Names names;
  for (const BackendStats& backend : channel.Stats().backends) {
    names[backend.name] = backend.connections;
  }
  return names;
}

int64_t Spreads(const PooledChannel& channel) {
  return channel.Stats().rotations[static_cast<int>(RotateReason::kSpread)];
}

std::shared_ptr<PooledChannel> Connect(const std::string& target, const PoolOptions& options) {
  auto channel = PooledChannel::TryCreate(target, grpc::InsecureChannelCredentials(), {}, options);
  EXPECT_TRUE(channel.ok()) << channel.status();
  return channel.ok() ? *channel : nullptr;
}

// --- Affinity

class AffinityChannelTest : public testing::Test {
 protected:
  AffinityChannelTest() {
    options_.connections_min = 4;
    options_.affinity_metadata = "x-user";
    channel_ = Connect(server_.target(), options_);
    EXPECT_TRUE(WaitForReadyMembers(*channel_, 4));
  }

  void Unary(const std::string& user) {
    grpc::ClientContext context;
    if (!user.empty()) context.AddMetadata("x-user", user);
    context.AddMetadata("x-other", "before and after the key");
    context.AddMetadata("a-other", "in the order of names");
    echo::v1::EchoResponse response;
    const grpc::Status status = stub().Unary(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  void Stream(const std::string& user) {
    grpc::ClientContext context;
    context.AddMetadata("x-user", user);
    const auto reader = stub().ServerStream(&context, {});
    echo::v1::EchoResponse response;
    while (reader->Read(&response)) {
    }
    EXPECT_TRUE(reader->Finish().ok());
  }
  echo::v1::Echo::Stub& stub() {
    if (stub_ == nullptr) stub_ = echo::v1::Echo::NewStub(channel_);
    return *stub_;
  }
  // The client's ends of the connections that each user's RPCs came over.
  std::map<std::string, std::set<std::string>> PeersByUser() {
    std::map<std::string, std::set<std::string>> peers;
    for (const SeenRpc& rpc : server_.seen()) {
      peers[OnlyValue(rpc.metadata, "x-user")].insert(rpc.peer);
    }
    return peers;
  }

  ApiServer server_;
  PoolOptions options_;
  std::shared_ptr<PooledChannel> channel_;
  std::unique_ptr<echo::v1::Echo::Stub> stub_;
};

TEST_F(AffinityChannelTest, EachUserHasAConnectionAndTheUsersAreSpread) {
  for (int round = 0; round < 3; ++round) {
    for (int user = 0; user < 40; ++user) {
      Unary(absl::StrCat("user-", user));
      if (round == 1) Stream(absl::StrCat("user-", user));
    }
  }
  const auto peers = PeersByUser();
  EXPECT_EQ(peers.size(), 40u);
  std::set<std::string> all;
  for (const auto& [user, own] : peers) {
    EXPECT_EQ(own.size(), 1u) << user;
    all.insert(own.begin(), own.end());
  }
  EXPECT_EQ(all.size(), 4u);
  EXPECT_EQ(channel_->Stats().checkouts_anchor, 0);
}

TEST_F(AffinityChannelTest, WithoutTheKeyThePickerChooses) {
  for (int i = 0; i < 8; ++i) Unary("");
  EXPECT_EQ(PeersByUser().at("(none)").size(), 4u);
}

// --- Backends

class BackendChannelTest : public testing::Test {
 protected:
  BackendChannelTest() {
    options_.connections_min = 4;
    options_.connections_max = 8;
    options_.spares = 0;
    options_.health.enabled = false;
    options_.proven_lifetime = false;
    options_.backend_metadata = "x-backend";
  }

  PoolOptions options_;
  NamedServer a_{"server-a"};
  NamedServer b_{"server-b"};
};

// The balancer gives the first four connections to one server, as after a rolling restart.
TEST_F(BackendChannelTest, DuplicatesBehindOneAddressAreDialedAnewUntilTheyAreEven) {
  AcceptRelay relay([&](int n) { return n < 4 || n % 2 == 1 ? a_.address() : b_.address(); });
  const auto channel = Connect(relay.target(), options_);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 4));
  const auto stub = echo::v1::Echo::NewStub(channel);
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(Echo(*stub).ok());
    return Backends(*channel) == Names{{"server-a", 2}, {"server-b", 2}};
  })) << testing::PrintToString(Backends(*channel));
  EXPECT_TRUE(WaitForReadyMembers(*channel, 4));
  const int64_t spreads = Spreads(*channel);
  EXPECT_GE(spreads, 2);
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(Echo(*stub).ok());
  EXPECT_EQ(Spreads(*channel), spreads) << "it is even, and goes on";
  EXPECT_GT(b_.rpcs(), 90);
  EXPECT_EQ(channel->Stats().checkouts_anchor, 0);
}

// It goes by the client's address, say.
TEST_F(BackendChannelTest, ABalancerThatHasNoOtherServerIsLeftAlone) {
  AcceptRelay relay([&](int) { return a_.address(); });
  const auto channel = Connect(relay.target(), options_);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 4));
  const auto stub = echo::v1::Echo::NewStub(channel);
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(Echo(*stub).ok());
    return Spreads(*channel) == Spread::kTriesMax;
  }));
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(Echo(*stub).ok());
  EXPECT_EQ(Spreads(*channel), Spread::kTriesMax);
  EXPECT_EQ(relay.accepted(), 4 + Spread::kTriesMax);
  EXPECT_EQ(Backends(*channel), (Names{{"server-a", 4}}));
}

TEST_F(BackendChannelTest, StreamsNameTheServerAsWell) {
  options_.connections_min = 1;
  const auto channel = Connect("ipv4:" + a_.address(), options_);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 1));
  EXPECT_EQ(Backends(*channel), Names());
  const auto stub = echo::v1::Echo::NewStub(channel);
  grpc::ClientContext context;
  const auto reader = stub->ServerStream(&context, {});
  echo::v1::EchoResponse response;
  EXPECT_TRUE(reader->Read(&response));
  EXPECT_TRUE(Eventually([&] { return Backends(*channel) == Names{{"server-a", 1}}; }));
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(BackendChannelTest, AServerThatDoesNotNameItselfIsNoBackend) {
  const ApiServer nameless;
  const auto channel = Connect(nameless.target(), options_);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 4));
  const auto stub = echo::v1::Echo::NewStub(channel);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Echo(*stub).ok());
  grpc::ClientContext context;
  echo::v1::EchoRequest request;
  request.set_status_code(grpc::StatusCode::NOT_FOUND);  // without initial metadata
  echo::v1::EchoResponse response;
  EXPECT_EQ(stub->Unary(&context, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Backends(*channel), Names());
  EXPECT_EQ(Spreads(*channel), 0);
}

// --- Latency

TEST_F(BackendChannelTest, PeakEwmaSendsNothingMoreToAServerThatDoesNotAnswer) {
  options_.connections_min = 2;
  options_.picker = PickerKind::kPeakEwma;
  const auto channel = Connect(absl::StrCat("ipv4:", a_.address(), ",", b_.address()), options_);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = echo::v1::Echo::NewStub(channel);
  a_.Hold(true);
  // Both are without a sample: of two at once each gets one, and b answers its own.
  std::array<std::thread, 2> first;
  for (std::thread& thread : first) {
    thread = std::thread([&] { EXPECT_TRUE(Echo(*stub).ok()); });
  }
  EXPECT_TRUE(
      Eventually([&] { return a_.rpcs() == 1 && b_.rpcs() == 1 && channel->Stats().leases == 1; }));
  const int before = b_.rpcs();
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Echo(*stub).ok());
  EXPECT_EQ(a_.rpcs(), 1);
  EXPECT_EQ(b_.rpcs(), before + 100);
  a_.Hold(false);
  for (std::thread& thread : first) thread.join();
}

// A server that is 20 ms away, and one that is here.
TEST_F(BackendChannelTest, ALatencyOutlierGetsFewerRpcs) {
  options_.connections_min = 2;
  options_.latency_outlier_factor = 3;
  a_.SetLatency(std::chrono::milliseconds(20));
  const auto channel = Connect(absl::StrCat("ipv4:", a_.address(), ",", b_.address()), options_);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = echo::v1::Echo::NewStub(channel);
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int t = 0; t < 8; ++t) {
    callers.emplace_back([&] {
      while (!stop.load()) EXPECT_TRUE(Echo(*stub).ok());
    });
  }
  EXPECT_TRUE(Eventually([&] {
    for (const DecisionStats& decision : channel->Stats().decisions) {
      if (decision.what == "weigh" && decision.reason.rfind("1/4 ", 0) == 0) return true;
    }
    return false;
  }));
  const int a_before = a_.rpcs();
  const int b_before = b_.rpcs();
  EXPECT_TRUE(Eventually([&] { return b_.rpcs() >= b_before + 400; }));
  const int a_share = a_.rpcs() - a_before;
  const int b_share = b_.rpcs() - b_before;
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_GT(a_share, 0);
  EXPECT_LT(a_share, 0.4 * b_share) << "of " << b_share;
  EXPECT_EQ(channel->Stats().checkouts_anchor, 0);
}

}  // namespace
}  // namespace predial
