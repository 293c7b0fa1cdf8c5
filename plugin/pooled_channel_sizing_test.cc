// The number of a real pool's connections under a real load.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/channel_test_util.h"
#include "plugin/io/processors.h"
#include "plugin/pooled_channel.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

// An RPC that stays open until it is cancelled.
class HeldRpc final : public grpc::ClientUnaryReactor {
 public:
  HeldRpc(Echo::Stub& stub, std::atomic<int>& open) : open_(open) {
    ++open_;
    request_.mutable_delay()->set_seconds(60);
    stub.async()->Unary(&context_, &request_, &response_, this);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }

 private:
  void OnDone(const grpc::Status&) override { --open_; }

  std::atomic<int>& open_;
  grpc::ClientContext context_;
  EchoRequest request_;
  EchoResponse response_;
};

std::shared_ptr<PooledChannel> Connect(const EchoServer& server, const PoolOptions& options = {}) {
  return PooledChannel::Create(TargetOf(server), grpc::InsecureChannelCredentials(), options);
}

std::vector<std::string> ReasonsOf(const PoolStats& stats, const std::string& what) {
  std::vector<std::string> reasons;
  for (const DecisionStats& decision : stats.decisions) {
    if (decision.what == what) reasons.push_back(decision.reason);
  }
  return reasons;
}

// The defaults: 2 connections, 16 at most. At 95 % of the limit 11 of them are needed; with
// processors enough, one for each 32.
TEST(PooledChannelSizingTest, AThousandRpcsAtOnceAtALimitOfAHundredStreams) {
  EchoServerOptions limited;
  limited.max_concurrent_streams = 100;
  const int needed = std::clamp(2 * UsableProcessors(), 11, 16);
  const auto server = StartServer(limited);
  const auto channel = Connect(*server);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = Echo::NewStub(channel);
  // Until both have answered they would not take more than 100, and the rest spill over.
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(predial::Echo(*stub).ok());
  std::atomic<int> open{0};
  std::deque<HeldRpc> rpcs;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) rpcs.emplace_back(*stub, open);
  EXPECT_TRUE(WaitForReadyMembers(*channel, needed));
  const auto took = std::chrono::steady_clock::now() - begin;
  RecordProperty(
      "milliseconds_to_all_connections",
      static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  const PoolStats stats = channel->Stats();
  EXPECT_EQ(stats.connections_wanted, needed);
  EXPECT_EQ(stats.peer_max_concurrent_streams, 100u);
  const std::vector<std::string> grown = ReasonsOf(stats, "grow");
  ASSERT_FALSE(grown.empty());
  EXPECT_NE(grown.back().find(absl::StrCat(" to ", needed, ": ", stats.connections_wanted_reason)),
            std::string::npos)
      << grown.back();
  // Of the limit; the target, while two for each processor are more.
  const int each = needed > 11 ? 32 : 95;
  EXPECT_THAT(stats.connections_wanted_reason,
              testing::MatchesRegex(
                  absl::StrCat("[0-9]+ RPCs in flight(, [0-9]+ that found no connection)?; ", each,
                               " to a connection")));
  for (HeldRpc& rpc : rpcs) rpc.Cancel();
  EXPECT_TRUE(Eventually([&] { return open == 0; }));
}

TEST(PooledChannelSizingTest, OnlyAdaptiveSizingMeasures) {
  const auto server = StartServer();
  for (const SizingKind kind : {SizingKind::kDemand, SizingKind::kAdaptive}) {
    PoolOptions options;
    options.sizing = kind;
    const auto channel = Connect(*server, options);
    ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
    const auto stub = Echo::NewStub(channel);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(predial::Echo(*stub).ok());
    const PoolStats stats = channel->Stats();
    EXPECT_EQ(stats.rpcs_measured, kind == SizingKind::kAdaptive ? 20u : 0u);
    EXPECT_EQ(stats.rpcs_measured_nanos > 0, kind == SizingKind::kAdaptive);
    EXPECT_EQ(stats.connections_wanted, 2);
  }
}

// RPCs of callers that do not wait never ask for connections, however fast they come.
TEST(PooledChannelSizingTest, OnlyThreadsThatWaitGetAConnectionEach) {
  const auto server = StartServer();
  PoolOptions options;
  options.connections_min = 1;
  const auto channel = Connect(*server, options);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 1));
  const auto stub = Echo::NewStub(channel);
  grpc::CompletionQueue queue;
  for (int round = 0; round < 20; ++round) {
    struct Rpc {
      grpc::ClientContext context;
      EchoResponse response;
      grpc::Status status;
      std::unique_ptr<grpc::ClientAsyncResponseReader<EchoResponse>> reader;
    };
    std::vector<Rpc> rpcs(20);
    for (Rpc& rpc : rpcs) {
      rpc.reader = stub->AsyncUnary(&rpc.context, EchoRequest(), &queue);
      rpc.reader->Finish(&rpc.response, &rpc.status, &rpc);
    }
    for (size_t ended = 0; ended < rpcs.size(); ++ended) {
      void* tag;
      bool ok;
      ASSERT_TRUE(queue.Next(&tag, &ok));
    }
    for (const Rpc& rpc : rpcs) ASSERT_TRUE(rpc.status.ok()) << rpc.status.error_message();
  }
  EXPECT_EQ(channel->Stats().connections_wanted, 1);

  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!stop) failed += predial::Echo(*stub).ok() ? 0 : 1;
    });
  }
  // How many depends on how fast they are.
  EXPECT_TRUE(Eventually([&] { return ReadyMembers(*channel) >= 2; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  const std::vector<std::string> grown = ReasonsOf(channel->Stats(), "grow");
  ASSERT_FALSE(grown.empty());
  EXPECT_NE(grown.front().find("threads that wait"), std::string::npos) << grown.front();
}

// It has connections to all its servers.
TEST(PooledChannelSizingTest, AWholeTargetGetsNoMemberForEachThread) {
  const auto server = StartServer();
  grpc::ChannelArguments args;
  args.SetLoadBalancingPolicyName("round_robin");
  PoolOptions options;
  options.connections_min = 1;
  const auto channel = PooledChannel::TryCreate(TargetOf(*server),
                                                grpc::InsecureChannelCredentials(), args, options);
  ASSERT_TRUE(channel.ok()) << channel.status();
  ASSERT_TRUE(WaitForReadyMembers(**channel, 1));
  const auto stub = Echo::NewStub(*channel);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int rpc = 0; rpc < 1000; ++rpc) EXPECT_TRUE(predial::Echo(*stub).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(ReasonsOf((*channel)->Stats(), "grow"), testing::IsEmpty());
}

// Under load it tries another size sooner or later, and no RPC notices.
TEST(PooledChannelSizingTest, AdaptiveSizingProbesAndLosesNothing) {
  const auto server = StartServer();
  PoolOptions options;
  options.sizing = SizingKind::kAdaptive;
  options.connections_max = 4;
  const auto channel = Connect(*server, options);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = Echo::NewStub(channel);
  int failed = 0;
  EXPECT_TRUE(Eventually([&] {
    for (int i = 0; i < 100; ++i) failed += predial::Echo(*stub).ok() ? 0 : 1;
    const auto reasons = ReasonsOf(channel->Stats(), "grow");
    return std::any_of(reasons.begin(), reasons.end(), [](const std::string& reason) {
      return reason.find("a probe: is it better than 2?") != std::string::npos;
    });
  }));
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace predial
