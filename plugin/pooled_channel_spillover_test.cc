// Streams that never end, many at once, to a server that allows few on a connection: each has to
// get on, though it was there before the connections that make room for it.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "plugin/api_test_channels.h"
#include "plugin/channel_test_util.h"
#include "plugin/pooled_channel.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

constexpr int kLimit = 5;

// Sends one message, and stays open until Finish().
class Stream final : public grpc::ClientBidiReactor<EchoRequest, EchoResponse> {
 public:
  struct Counts {
    std::atomic<int> answered{0};
    std::atomic<int> ended{0};
    std::atomic<int> failed{0};
  };
  Stream(Echo::Stub& stub, Counts& counts) {
    counts_ = &counts;
    stub.async()->BidiStream(&context_, this);
    request_.set_message("hello");
    AddHold();
    StartWrite(&request_);
    StartRead(&response_);
    StartCall();
  }
  void Finish() {
    StartWritesDone();
    RemoveHold();
  }
  void Cancel() {
    context_.TryCancel();
    RemoveHold();
  }

 private:
  void OnReadDone(bool ok) override { counts_.load()->answered += ok ? 1 : 0; }
  void OnDone(const grpc::Status& status) override {
    Counts& counts = *counts_.load();
    if (!status.ok()) ++counts.failed;
    ++counts.ended;
  }

  // Stored atomically, for ThreadSanitizer: it does not see how gRPC passes a reactor on to others.
  std::atomic<Counts*> counts_{nullptr};
  grpc::ClientContext context_;
  EchoRequest request_;
  EchoResponse response_;
};

class PooledChannelSpilloverTest : public testing::TestWithParam<ChannelKind> {
 protected:
  static std::unique_ptr<EchoServer> Serve(int limit) {
    EchoServerOptions options;
    options.max_concurrent_streams = limit;
    return StartServer(ServerOptionsOf(GetParam(), options));
  }
  // Under TLS a server's own limit cannot be seen.
  void Connect(PoolOptions options = {}) {
    options.streams_per_connection_max = kLimit;
    Create(options);
  }
  void Create(const PoolOptions& options) {
    channel_ = PooledChannel::Create(TargetOf(*server_), ChannelCredentialsOf(GetParam()),
                                     PoolOptionsOf(GetParam(), options));
    stub_ = Echo::NewStub(channel_);
  }
  void Open(int count) {
    for (int i = 0; i < count; ++i) streams_.emplace_back(*stub_, counts_);
  }
  bool AwaitAnswers(int count) {
    return Eventually([&] { return counts_.answered == count; });
  }
  // So many unary RPCs at once that most of them have to wait.
  void CallMany() {
    struct Rpc {
      grpc::ClientContext context;
      EchoRequest request;
      EchoResponse response;
    };
    std::deque<Rpc> rpcs(16 * kLimit);
    std::atomic<int> ended{0};
    std::atomic<int> failed{0};
    for (Rpc& rpc : rpcs) {
      stub_->async()->Unary(
          &rpc.context, &rpc.request, &rpc.response, [&](const grpc::Status& status) {
            if (!status.ok() && failed++ == 0) {
              ADD_FAILURE() << status.error_code() << " " << status.error_message();
            }
            ++ended;
          });
    }
    EXPECT_TRUE(Eventually([&] { return ended == static_cast<int>(rpcs.size()); }));
    EXPECT_EQ(failed, 0);
  }
  void FinishAll() {
    for (Stream& stream : streams_) stream.Finish();
    EXPECT_TRUE(Eventually([&] { return counts_.ended == static_cast<int>(streams_.size()); }));
    EXPECT_EQ(counts_.failed, 0);
  }

  std::unique_ptr<EchoServer> server_ = Serve(kLimit);
  std::shared_ptr<PooledChannel> channel_;
  std::unique_ptr<Echo::Stub> stub_;
  Stream::Counts counts_;
  std::deque<Stream> streams_;
};

INSTANTIATE_TEST_SUITE_P(All, PooledChannelSpilloverTest, testing::ValuesIn(kMemberKinds),
                         [](const auto& info) { return NameOf(info.param); });

TEST_P(PooledChannelSpilloverTest, AllGetOnThoughTheyCameAtOnce) {
  Connect();
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 2));
  Open(16 * kLimit);
  EXPECT_TRUE(AwaitAnswers(16 * kLimit)) << counts_.answered << " did";
  // The two connections cannot have had more.
  EXPECT_GT(channel_->Stats().checkouts_anchor, 0);
  FinishAll();
  // What was only for them goes with them.
  EXPECT_TRUE(channel_->Shutdown(absl::Now() + absl::FromChrono(kPatience)));
}

TEST_P(PooledChannelSpilloverTest, AllGetOnThoughTheyCameBeforeAnyConnection) {
  Connect();
  Open(16 * kLimit);
  EXPECT_TRUE(AwaitAnswers(16 * kLimit)) << counts_.answered << " did";
  FinishAll();
}

TEST_P(PooledChannelSpilloverTest, WhereTheLimitCannotBeSeenTheUsualOneIsAssumed) {
  constexpr int kStreams = 3 * kStreamLimitAssumed;
  server_ = Serve(kStreamLimitAssumed);
  Create(PoolOptions());
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 2));
  Open(kStreams);
  EXPECT_TRUE(AwaitAnswers(kStreams)) << counts_.answered << " did";
  FinishAll();
}

TEST_P(PooledChannelSpilloverTest, ItIsOverOnceThePoolHasGrown) {
  Connect();
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 2));
  Open(16 * kLimit);
  ASSERT_TRUE(AwaitAnswers(16 * kLimit));
  ASSERT_TRUE(Eventually([&] {
    const PoolStats stats = channel_->Stats();
    return stats.connections_wanted == ReadyMembers(*channel_);
  }));
  const int64_t spilled = channel_->Stats().checkouts_anchor;
  FinishAll();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(predial::Echo(*stub_).ok());
  streams_.clear();
  counts_.answered = counts_.ended = 0;
  Open(2 * kLimit);
  EXPECT_TRUE(AwaitAnswers(2 * kLimit));
  EXPECT_EQ(channel_->Stats().checkouts_anchor, spilled);
  FinishAll();
}

TEST_P(PooledChannelSpilloverTest, APoolThatIsAsLargeAsItMayBeShares) {
  PoolOptions options;
  options.connections_min = options.connections_max = 2;
  Connect(options);
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 2));
  Open(2);
  ASSERT_TRUE(AwaitAnswers(2));
  Open(4 * kLimit - 2);
  // More, where gRPC has not read the server's limit yet when they begin.
  EXPECT_TRUE(Eventually([&] { return counts_.answered >= 2 * kLimit; }));
  EXPECT_EQ(channel_->Stats().checkouts_anchor, 0);
  // Those that wait get on when the others end.
  FinishAll();
  EXPECT_EQ(counts_.answered, 4 * kLimit);
}

// A unary RPC ends, and is sooner done where it waits than on a new connection.
TEST_P(PooledChannelSpilloverTest, UnaryRpcsWaitTheirTurn) {
  Connect();
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 2));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(predial::Echo(*stub_).ok());
  CallMany();
  EXPECT_EQ(channel_->Stats().checkouts_anchor, 0);
}

// gRPC's server closes a connection that exceeds its limit, with all its RPCs, and gRPC exceeds it
// on a connection whose SETTINGS it has not read yet.
TEST_P(PooledChannelSpilloverTest, NoneOfManyUnaryRpcsIsLostOnFreshConnections) {
  Connect();
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 2));
  CallMany();
}
TEST_P(PooledChannelSpilloverTest, SuspendedAndShutDownPoolsLetNoStreamPass) {
  Connect();
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 2));
  Open(16 * kLimit);
  ASSERT_TRUE(AwaitAnswers(16 * kLimit));
  channel_->Suspend();
  const auto refuses = [&] {
    grpc::ClientContext context;
    const auto stream = stub_->BidiStream(&context);
    return stream->Finish().error_code() == grpc::StatusCode::UNAVAILABLE;
  };
  ASSERT_TRUE(Eventually([&] { return channel_->Stats().state == "IDLE"; }));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(refuses());
  EXPECT_FALSE(channel_->Shutdown(absl::Now()));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(refuses());
  for (Stream& stream : streams_) stream.Cancel();
  EXPECT_TRUE(Eventually([&] { return counts_.ended == static_cast<int>(streams_.size()); }));
  EXPECT_TRUE(channel_->Shutdown(absl::Now() + absl::FromChrono(kPatience)));
}

}  // namespace
}  // namespace predial
