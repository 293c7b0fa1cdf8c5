// What PooledChannel does when servers do what they should not, or what nobody likes: nothing
// hangs, nothing is sent twice that may have been seen, and RPCs are answered again soon. Here is
// what takes several RPCs or connections; what one RPC ends with, beside an ordinary channel, is in
// interop_tests/edges.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "plugin/channel_test_util.h"
#include "plugin/pooled_channel.h"
#include "plugin/testing/script.h"
#include "plugin/testing/scripted_server.h"
#include "plugin/testing/server_record.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;
using echo::v1::EchoResponse;
using grpc::StatusCode;

constexpr char kUnary[] = "/predial.echo.v1.Echo/Unary";
constexpr char kBidiStream[] = "/predial.echo.v1.Echo/BidiStream";
constexpr char kGarbage[] = "this is no frame of HTTP/2, is it";

// How long an RPC may take to be answered again after the worst: two dials and a wait.
constexpr std::chrono::seconds kRecovery{5};

PoolOptions Options() {
  PoolOptions options;
  options.connections_min = 1;
  options.settings_wait = absl::Milliseconds(50);
  options.backoff.initial = options.backoff.under_demand = absl::Milliseconds(50);
  options.backoff.max = absl::Milliseconds(100);
  return options;
}

std::shared_ptr<PooledChannel> CreatePool(const ScriptedServer& server,
                                          const PoolOptions& options = Options()) {
  return PooledChannel::Create(server.target(), grpc::InsecureChannelCredentials(), {}, options);
}

size_t Seen(ScriptedServer& server) { return server.Record().RequestsTo(kUnary).size(); }

class PooledChannelScriptedTest : public testing::Test {
 protected:
  void Start() {
    pool_ = CreatePool(server_);
    stub_ = echo::v1::Echo::NewStub(pool_);
  }
  std::future<grpc::Status> StartEcho() {
    return std::async(std::launch::async, [this] { return Echo(*stub_); });
  }
  // Each RPC with a message of its own.
  bool Recovers() {
    const auto began = std::chrono::steady_clock::now();
    const bool answered =
        Eventually([&] { return Echo(*stub_, absl::StrCat("recovers ", ++echoes_)).ok(); });
    return answered && std::chrono::steady_clock::now() - began <= kRecovery;
  }
  // The unary RPCs' messages that the server got; each must be another's.
  std::map<std::string, int> Arrived() {
    std::map<std::string, int> arrived;
    for (const RecordedRequest& request : server_.Record().RequestsTo(kUnary)) {
      EchoRequest message;
      // Cut off on the way, it may have come without one.
      if (request.messages.empty() || request.excluded) continue;
      EXPECT_TRUE(message.ParseFromString(request.messages[0]));
      EXPECT_EQ(++arrived[message.message()], 1) << message.message() << " came twice";
    }
    return arrived;
  }

  ScriptedServer server_;
  std::shared_ptr<PooledChannel> pool_;
  std::unique_ptr<echo::v1::Echo::Stub> stub_;
  int echoes_ = 0;
};

// While nothing is under way, connection after connection ends, in every way. The pool is back each
// time, and what it sends is sent once.
TEST_F(PooledChannelScriptedTest, IdleConnectionsEnd) {
  Start();
  const std::vector<Steps> ways = {{Step::Close()},     {Step::Abort()},
                                   {Step::HalfClose()}, {Step::Bytes(kGarbage)},
                                   {Step::GoAway(0)},   {Step::GoAway(kAllStreams)},
                                   GracefulGoAway()};
  for (int round = 0; round < 3; ++round) {
    for (const Steps& steps : ways) {
      ASSERT_TRUE(WaitForReadyMembers(*pool_, 1));
      ASSERT_TRUE(Recovers());
      server_.DoOnAll(steps);
      EXPECT_TRUE(Recovers());
    }
  }
  EXPECT_GE(Arrived().size(), 2 * 3 * ways.size());
}

TEST_F(PooledChannelScriptedTest, SettingsThatComeLate) {
  ConnectionScript late;
  late.greeting = {Step::AwaitGate(1), Step::Settings()};
  server_.OtherwiseConnection(late);
  Start();
  auto status = StartEcho();
  ASSERT_TRUE(server_.WaitFor([](const ServerRecord& record) {
    return !record.connections.empty() && record.connections[0].preface;
  }));
  server_.OpenGate(1);
  EXPECT_TRUE(status.get().ok());
  EXPECT_EQ(Seen(server_), 1u);
  EXPECT_TRUE(WaitForReadyMembers(*pool_, 1));
}

TEST_F(PooledChannelScriptedTest, ConnectionsThatAreAcceptedLate) {
  server_.SetAccepting(false);
  Start();
  auto status = StartEcho();
  // The kernel has made the connections; nobody answers on them until now.
  server_.SetAccepting(true);
  EXPECT_TRUE(status.get().ok());
  EXPECT_EQ(Seen(server_), 1u);
}

// gRPC looks at those that wait for a stream only when another RPC starts or ends on the
// connection, so the limit alone does not let them go.
TEST_F(PooledChannelScriptedTest, ALimitOfNoStreamsHoldsRpcsUntilItIsRaised) {
  Start();
  ASSERT_TRUE(WaitForReadyMembers(*pool_, 1));
  ASSERT_TRUE(Echo(*stub_, "first").ok());
  const std::vector<RecordedConnection> before = server_.Record().connections;
  server_.DoOnAll({Step::Settings({{kSettingMaxConcurrentStreams, 0}})});
  auto status = StartEcho();  // waits, unless it was faster than the limit
  server_.DoOnAll({Step::Settings({{kSettingMaxConcurrentStreams, 100}})});
  // All three SETTINGS have been read, where anything is: not on spares.
  ASSERT_TRUE(server_.WaitFor([&](const ServerRecord& record) {
    for (size_t i = 0; i < before.size(); ++i) {
      const RecordedConnection& now = record.connections[i];
      if (before[i].preface && !now.closed && now.settings_acks < 3) return false;
    }
    return true;
  }));
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(Recovers());
    return status.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }));
  EXPECT_TRUE(status.get().ok());
  EXPECT_EQ(Arrived().count("hello"), 1u);
}

TEST_F(PooledChannelScriptedTest, SilenceEndsAtTheDeadline) {
  Start();
  ASSERT_TRUE(Echo(*stub_).ok());
  server_.ThenReply(Reply());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  EchoResponse response;
  EXPECT_EQ(stub_->Unary(&context, EchoRequest(), &response).error_code(),
            StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(Seen(server_), 2u);
  EXPECT_TRUE(Recovers());
}

TEST_F(PooledChannelScriptedTest, OneByteAtATime) {
  ConnectionScript slow;
  slow.bytes_per_write = 1;
  server_.OtherwiseConnection(slow);
  Start();
  for (int i = 0; i < 20; ++i) {
    const grpc::Status status = Echo(*stub_, std::string(100, 'b'));
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  EXPECT_EQ(Seen(server_), 20u);
}

// A stream that the GOAWAY lets through goes on; the pool has left the connection meanwhile.
TEST_F(PooledChannelScriptedTest, AStreamOutlivesAGoAway) {
  server_.ReplyTo(kBidiStream, {{Step::Headers()}, {Step::Echo()}, {Step::Trailers()}});
  Start();
  ASSERT_TRUE(WaitForReadyMembers(*pool_, 1));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const auto stream = stub_->BidiStream(&context);
  EchoResponse response;
  ASSERT_TRUE(stream->Write(EchoRequest()) && stream->Read(&response));
  server_.DoOnAll(GracefulGoAway());
  EXPECT_TRUE(Recovers());
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(stream->Write(EchoRequest()) && stream->Read(&response)) << i;
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(server_.Record().RequestsTo(kBidiStream).size(), 1u);
}

// Graceful GOAWAYs by the dozen under load: no RPC arrives twice, and those that fail say
// UNAVAILABLE and had not arrived.
TEST_F(PooledChannelScriptedTest, AStormOfGoAways) {
  constexpr int kCallers = 4;
  constexpr int kRpcs = 250;
  constexpr int kStorms = 20;
  Start();
  ASSERT_TRUE(WaitForReadyMembers(*pool_, 1));
  std::vector<std::future<std::vector<std::string>>> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.push_back(std::async(std::launch::async, [this, caller] {
      std::vector<std::string> lost;
      for (int i = 0; i < kRpcs; ++i) {
        const std::string id = absl::StrCat(caller, "/", i);
        const grpc::Status status = Echo(*stub_, id);
        if (status.ok()) continue;
        EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE) << status.error_message();
        lost.push_back(id);
      }
      return lost;
    }));
  }
  for (int storm = 1; storm <= kStorms; ++storm) {
    const size_t begun = storm * kCallers * kRpcs / (kStorms + 1) / 2;
    ASSERT_TRUE(server_.WaitForRequests(kUnary, begun));
    server_.DoOnAll(GracefulGoAway());
  }
  std::vector<std::string> lost;
  for (auto& caller : callers) {
    for (std::string& id : caller.get()) lost.push_back(std::move(id));
  }
  const std::map<std::string, int> arrived = Arrived();
  for (const std::string& id : lost) EXPECT_EQ(arrived.count(id), 0u) << id;
  EXPECT_EQ(arrived.size() + lost.size(), static_cast<size_t>(kCallers * kRpcs));
  EXPECT_TRUE(lost.empty()) << lost.size();
}

}  // namespace
}  // namespace predial
