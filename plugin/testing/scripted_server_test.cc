// The server itself, with an ordinary gRPC channel as its client.
#include "plugin/testing/scripted_server.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/io/unique_fd.h"
#include "plugin/testing/hpack.h"
#include "plugin/testing/http2_frame.h"
#include "plugin/testing/script.h"
#include "plugin/testing/server_record.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

constexpr char kUnary[] = "/predial.echo.v1.Echo/Unary";
constexpr char kBidiStream[] = "/predial.echo.v1.Echo/BidiStream";
constexpr std::chrono::seconds kPatience{30};

class ScriptedServerTest : public testing::Test {
 protected:
  // An ordinary channel with connections of its own.
  static std::unique_ptr<Echo::Stub> Connect(const std::string& target) {
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    return Echo::NewStub(
        grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), args));
  }
  grpc::Status Unary(const std::string& message, EchoResponse* response,
                     std::chrono::milliseconds patience = kPatience) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + patience);
    context.AddMetadata("who", "the-test");
    context.AddMetadata("bytes-bin", std::string("\0\xff\x80", 3));
    EchoRequest request;
    request.set_message(message);
    return stub_->Unary(&context, request, response);
  }
  grpc::Status Unary(const std::string& message = "hello") {
    EchoResponse response;
    return Unary(message, &response);
  }
  size_t requests() { return server_.Record().RequestsTo(kUnary).size(); }

  ScriptedServer server_;
  std::unique_ptr<Echo::Stub> stub_ = Connect(server_.target());
};

TEST_F(ScriptedServerTest, AnswersAndRecords) {
  for (const char* message : {"one", "two", "three"}) {
    EchoResponse response;
    const grpc::Status status = Unary(message, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.message(), message);
  }
  const ServerRecord record = server_.Record();
  ASSERT_EQ(record.connections.size(), 1u);
  EXPECT_TRUE(record.connections[0].preface);
  EXPECT_EQ(record.connections[0].error, "");
  const auto requests = record.RequestsTo(kUnary);
  ASSERT_EQ(requests.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(requests[i].stream, static_cast<uint32_t>(2 * i + 1));
    EXPECT_EQ(requests[i].header("who"), "the-test");
    EXPECT_EQ(requests[i].header("bytes-bin"), "AP+A");  // in base64, as gRPC sends it
    EXPECT_EQ(requests[i].header(":method"), "POST");
    EXPECT_EQ(requests[i].header(":authority"), server_.address());
    ASSERT_EQ(requests[i].messages.size(), 1u);
    EchoRequest request;
    EXPECT_TRUE(request.ParseFromString(requests[i].messages[0]));
    EXPECT_TRUE(requests[i].ended);
    EXPECT_FALSE(requests[i].reset.has_value());
  }
}

TEST_F(ScriptedServerTest, MessagesLargerThanAllWindows) {
  EchoResponse response;
  for (int i = 0; i < 5; ++i) {
    const std::string message(1'000'000, 'm');
    const grpc::Status status = Unary(message, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.message(), message);
  }
}

TEST_F(ScriptedServerTest, OneByteAtATime) {
  ConnectionScript slow;
  slow.bytes_per_write = 1;
  server_.OtherwiseConnection(slow);
  EchoResponse response;
  const std::string message(3000, 's');
  const grpc::Status status = Unary(message, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.message(), message);
}

TEST_F(ScriptedServerTest, Streams) {
  server_.ReplyTo(kBidiStream, {{Step::Headers({{"early", "yes"}})},
                                {Step::Echo()},
                                {Step::Trailers(0, "", {{"late", "too"}})}});
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  const auto stream = stub_->BidiStream(&context);
  for (const char* message : {"a", "b", "c"}) {
    EchoRequest request;
    request.set_message(message);
    ASSERT_TRUE(stream->Write(request));
    EchoResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.message(), message);
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(context.GetServerInitialMetadata().count("early"), 1u);
  EXPECT_EQ(context.GetServerTrailingMetadata().count("late"), 1u);
  EXPECT_EQ(server_.Record().RequestsTo(kBidiStream)[0].messages.size(), 3u);
}

TEST_F(ScriptedServerTest, RepliesComeInTheirOrder) {
  server_.ThenReply(Reply::Fail(grpc::StatusCode::NOT_FOUND, "100 % \n gone"));
  server_.ThenReply(Reply::Answer());
  server_.OtherwiseReply(Reply::Fail(grpc::StatusCode::ABORTED, ""));
  const grpc::Status first = Unary();
  EXPECT_EQ(first.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(first.error_message(), "100 % \n gone");
  EXPECT_TRUE(Unary().ok());
  EXPECT_EQ(Unary().error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(Unary().error_code(), grpc::StatusCode::ABORTED);
}

TEST_F(ScriptedServerTest, AGateHoldsAnAnswerUntilItIsOpened) {
  server_.ThenReply(Reply::AtEnd(
      {Step::AwaitGate(1), Step::Headers(), Step::Echo(), Step::AwaitGate(2), Step::Trailers()}));
  server_.OpenGate(2);  // beforehand
  std::thread caller([&] { EXPECT_TRUE(Unary().ok()); });
  EXPECT_TRUE(server_.WaitForRequests(kUnary, 1));
  server_.OpenGate(1);
  caller.join();
}

TEST_F(ScriptedServerTest, SilenceEndsByTheDeadlineAndTheResetIsRecorded) {
  server_.ThenReply(Reply());
  EchoResponse response;
  EXPECT_EQ(Unary("x", &response, std::chrono::milliseconds(200)).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(server_.WaitFor([](const ServerRecord& record) {
    const auto requests = record.RequestsTo(kUnary);
    return requests.size() == 1 && requests[0].reset == Http2Error::kCancel;
  }));
}

// What an ordinary channel does with a GOAWAY that says "I did not see it": it sends the RPC again.
TEST_F(ScriptedServerTest, AnRpcThatAGoAwayExcludesIsSentAgain) {
  server_.ThenReply(Reply::AtEnd({Step::GoAway(kBeforeThisStream)}));
  EXPECT_TRUE(Unary().ok());
  const auto requests = server_.Record().RequestsTo(kUnary);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_NE(requests[0].connection, requests[1].connection);
}

TEST_F(ScriptedServerTest, AGracefulGoAwayLosesNothing) {
  Steps steps = GracefulGoAway("max_age");
  for (const Step& step : {Step::Headers(), Step::Echo(), Step::Trailers()}) steps.push_back(step);
  server_.ThenReply(Reply::AtEnd(steps));
  EXPECT_TRUE(Unary().ok());
  EXPECT_TRUE(Unary().ok());
  EXPECT_EQ(requests(), 2u);
  EXPECT_EQ(server_.Record().connections.size(), 2u);
}

TEST_F(ScriptedServerTest, AStreamLimitCanBeRaisedMidway) {
  ConnectionScript script;
  script.greeting = {Step::Settings({{kSettingMaxConcurrentStreams, 0}})};
  server_.OtherwiseConnection(script);
  std::thread caller([&] { EXPECT_TRUE(Unary().ok()); });
  EXPECT_TRUE(server_.WaitFor([](const ServerRecord& record) {
    return !record.connections.empty() && record.connections[0].settings_acks == 1;
  }));
  EXPECT_EQ(requests(), 0u);
  server_.Do(0, {Step::Settings({{kSettingMaxConcurrentStreams, 100}})});
  EXPECT_TRUE(server_.WaitFor(
      [](const ServerRecord& record) { return record.connections[0].settings_acks == 2; }));
  // gRPC looks at those that wait only when another RPC starts or ends.
  EXPECT_TRUE(Unary().ok());
  caller.join();
  EXPECT_EQ(requests(), 2u);
}

TEST_F(ScriptedServerTest, SettingsCanBeDelayed) {
  ConnectionScript script;
  script.greeting = {Step::AwaitGate(1), Step::Settings()};
  server_.ThenConnection(script);
  std::thread caller([&] {
    EchoResponse response;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    context.set_wait_for_ready(true);
    EXPECT_TRUE(stub_->Unary(&context, EchoRequest(), &response).ok());
  });
  EXPECT_TRUE(server_.WaitFor([](const ServerRecord& record) {
    return !record.connections.empty() && record.connections[0].preface;
  }));
  EXPECT_EQ(requests(), 0u);
  server_.OpenGate(1);
  caller.join();
}

TEST_F(ScriptedServerTest, ConnectionsWaitInTheBacklog) {
  server_.SetAccepting(false);
  EchoResponse response;
  EXPECT_EQ(Unary("x", &response, std::chrono::milliseconds(100)).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(server_.Record().connections.size(), 0u);
  server_.SetAccepting(true);
  EXPECT_TRUE(Unary().ok());
}

TEST_F(ScriptedServerTest, WhoConnectsAfterStopListeningIsRefused) {
  EXPECT_TRUE(Unary().ok());
  server_.StopListening();
  EXPECT_TRUE(Unary().ok()) << "the open connection stays";
  server_.DoOnAll({Step::Abort()});
  const grpc::Status status = Unary();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ScriptedServerTest, EveryResetCodeArrives) {
  for (int code = 0; code <= 13; ++code) {
    server_.ThenReply(
        Reply::AtEnd({Step::Headers(), Step::Echo(), Step::Reset(static_cast<Http2Error>(code))}));
    const grpc::Status status = Unary();
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(status.error_message(), absl::StrCat("Received RST_STREAM with error code ", code));
  }
  EXPECT_EQ(requests(), 14u) << "each RPC once";
}

// An answer made of raw frames: CONTINUATION, a message in two, a frame of no known type.
TEST_F(ScriptedServerTest, AnyFrame) {
  const std::string headers =
      EncodeHeaders({{":status", "200"}, {"content-type", "application/grpc"}});
  EchoResponse answer;
  answer.set_message("by hand");
  const std::string bytes = answer.SerializeAsString();
  const std::string message = absl::StrCat(std::string("\0\0\0\0", 4), "\x09", bytes);
  ASSERT_EQ(bytes.size(), 9u);
  server_.ThenReply(
      Reply::AtEnd({Step::Frame(Http2FrameType::kHeaders, 0, headers.substr(0, 7)),
                    Step::Frame(Http2FrameType::kContinuation, kFlagEndHeaders, headers.substr(7)),
                    Step::Frame(static_cast<Http2FrameType>(0xfa), 0xff, "nobody knows it"),
                    Step::Frame(Http2FrameType::kData, 0, message.substr(0, 3)),
                    Step::Frame(Http2FrameType::kData, 0, message.substr(3)),
                    Step::Frame(Http2FrameType::kHeaders, kFlagEndHeaders | kFlagEndStream,
                                EncodeHeaders({{"grpc-status", "0"}}))}));
  EchoResponse response;
  const grpc::Status status = Unary("x", &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.message(), "by hand");
  server_.Do(0, {Step::Frame(Http2FrameType::kPing, 0, "eight by")});
  EXPECT_TRUE(Unary().ok());
  EXPECT_TRUE(server_.WaitFor(
      [](const ServerRecord& record) { return record.connections.at(0).ping_acks == 1; }));
}

TEST_F(ScriptedServerTest, RecordsTheClientsSettings) {
  EXPECT_TRUE(Unary().ok());
  const ServerRecord record = server_.Record();
  const auto& settings = record.connections.at(0).settings;
  ASSERT_EQ(settings.count(kSettingEnablePush), 1u);
  EXPECT_EQ(settings.at(kSettingEnablePush), 0u);
}

TEST_F(ScriptedServerTest, AClientThatIsNone) {
  UniqueFd ends[2];
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  ends[0].Reset(fds[0]);
  server_.Adopt(UniqueFd(fds[1]));
  ASSERT_EQ(send(ends[0].get(), "GET / HTTP/1.1\r\n", 16, MSG_NOSIGNAL), 16);
  EXPECT_TRUE(
      server_.WaitFor([](const ServerRecord& record) { return record.connections.at(0).closed; }));
  EXPECT_EQ(server_.Record().connections[0].error, "not HTTP/2's preface");
}

TEST_F(ScriptedServerTest, UnixSockets) {
  ScriptedServer::Options options;
  options.address = absl::StrCat("unix-abstract:scripted-server-test-", getpid());
  ScriptedServer server(options);
  stub_ = Connect(server.target());
  EXPECT_TRUE(Unary().ok());
}

}  // namespace
}  // namespace predial
