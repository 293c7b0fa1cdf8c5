// What gRPC says about RPCs whose connection ended, with real servers and connections: a version of
// gRPC that says it in other words fails here.
#include "plugin/io/rpc_outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "examples/echo/echo_server_lib.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "plugin/io/address.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

grpc::Status Unary(Echo::Stub& stub, const EchoRequest& request = {}) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTestPatience);
  EchoResponse response;
  return stub.Unary(&context, request, &response);
}

// A connection to `peer` with a channel over it, as members have.
class Member {
 public:
  explicit Member(const Address& peer, const grpc::ChannelArguments& args = {}) {
    UniqueFd fd = ConnectTo(peer);
    copy_.Reset(dup(fd.get()));
    stub_ = Echo::NewStub(CreateMemberChannel(std::move(fd), args, {}));
  }
  explicit Member(const EchoServer& server) : Member(*Address::Parse(server.address())) {}

  Echo::Stub& stub() { return *stub_; }
  // As when the network, or the process at the other end, goes.
  void Kill() { EXPECT_EQ(shutdown(copy_.get(), SHUT_RDWR), 0); }

 private:
  UniqueFd copy_;
  std::unique_ptr<Echo::Stub> stub_;
};

// An RPC that the server has begun to answer, and does not end.
class OpenStream {
 public:
  explicit OpenStream(Echo::Stub& stub) : stream_(stub.BidiStream(&context_)) {
    EXPECT_TRUE(Exchange());
  }
  bool Exchange() {
    EchoResponse response;
    return stream_->Write(EchoRequest()) && stream_->Read(&response);
  }
  grpc::Status Finish() {
    EchoResponse response;
    while (stream_->Read(&response)) {
    }
    return stream_->Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoResponse>> stream_;
};

std::unique_ptr<EchoServer> StartServer(const EchoServerOptions& options = {}) {
  auto server = EchoServer::Start(options);
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? *std::move(server) : nullptr;
}

std::string Text(const grpc::Status& status) {
  return std::to_string(status.error_code()) + " " + status.error_message();
}

// A server's end of a connection, by hand.
class RawServer {
 public:
  Address address() const { return LocalAddress(listener_.get()); }
  void Accept() { connection_.Reset(accept(listener_.get(), nullptr, nullptr)); }
  // Waits for the client's preface: 24 bytes (RFC 9113 section 3.4).
  void ReadPreface() {
    char bytes[24];
    EXPECT_EQ(recv(connection_.get(), bytes, sizeof(bytes), MSG_WAITALL), 24);
  }
  void Send(absl::string_view bytes) {
    EXPECT_EQ(send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), bytes.size());
  }
  void Close() { connection_.Reset(); }
  // Closes with a RST.
  void Abort() {
    const linger reset = {1, 0};
    EXPECT_EQ(setsockopt(connection_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    Close();
  }

 private:
  UniqueFd listener_ = ListenOn("127.0.0.1:0");
  UniqueFd connection_;
};

constexpr absl::string_view kEmptySettings("\0\0\0\4\0\0\0\0\0", 9);

RpcOutcome Expected(int code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return RpcOutcome::kOk;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
      return RpcOutcome::kFailed;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return RpcOutcome::kUnanswered;
    case grpc::StatusCode::CANCELLED:
      return RpcOutcome::kCancelled;
    default:
      return RpcOutcome::kError;
  }
}

TEST(RpcOutcomeTest, AnAnswerIsJudgedByItsCode) {
  const auto server = StartServer();
  Member member(*server);
  for (int code = 0; code <= 16; ++code) {
    EchoRequest request;
    request.set_status_code(code);
    request.set_status_message("busy");
    const grpc::Status status = Unary(member.stub(), request);
    EXPECT_EQ(status.error_code(), code);
    EXPECT_EQ(JudgeOutcome(status), Expected(code)) << Text(status);
  }
}

TEST(RpcOutcomeTest, WhatAServerTellsOfItsOwnConnectionsIsNotAboutOurs) {
  const auto server = StartServer();
  Member member(*server);
  for (const char* message : {
           "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:1: Failed to "
           "connect to remote host: Connection reset by peer",
           "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:1: Broken pipe",
           "the database said: Socket closed",
       }) {
    EchoRequest request;
    request.set_status_code(grpc::StatusCode::UNAVAILABLE);
    request.set_status_message(message);
    const grpc::Status status = Unary(member.stub(), request);
    EXPECT_EQ(JudgeOutcome(status), RpcOutcome::kFailed) << Text(status);
  }
}

// With the client's debug string, and with the server's text in the place of gRPC's.
TEST(RpcOutcomeTest, AnOrdinaryChannelThatFindsNoConnectionHasSentNothing) {
  const auto refused = [](const std::string& target, const EchoRequest& request) {
    const auto stub =
        Echo::NewStub(CreateOrdinaryChannel(target, grpc::InsecureChannelCredentials(), {}, {}));
    grpc::ClientContext context;
    EchoResponse response;
    const grpc::Status status = stub->Unary(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << Text(status);
    EXPECT_THAT(status.error_message(),
                testing::StartsWith("failed to connect to all addresses; last error: "));
    return FoundNoConnection(status, context.debug_error_string());
  };
  const UniqueFd nobody = BindSocket("127.0.0.1:0");  // and not listening
  EXPECT_TRUE(refused(LocalAddress(nobody.get()).ToGrpcTarget(), {}));

  const auto server = StartServer();
  EchoRequest request;
  request.set_status_code(grpc::StatusCode::UNAVAILABLE);
  request.set_status_message("failed to connect to all addresses; last error: its own");
  EXPECT_FALSE(refused(Address::Parse(server->address())->ToGrpcTarget(), request));
  EXPECT_FALSE(FoundNoConnection(
      grpc::Status(grpc::StatusCode::UNAVAILABLE, "failed to connect to all addresses"), ""));
}

TEST(RpcOutcomeTest, TheCallersOwnEndsDoNotBlameTheConnection) {
  const auto server = StartServer();
  Member member(*server);
  EchoRequest request;
  request.mutable_delay()->set_seconds(60);
  EchoResponse response;
  {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now());
    const grpc::Status status = member.stub().Unary(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
    EXPECT_EQ(JudgeOutcome(status), RpcOutcome::kUnanswered) << Text(status);
  }
  {
    grpc::ClientContext context;
    context.TryCancel();
    const grpc::Status status = member.stub().Unary(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
    EXPECT_EQ(JudgeOutcome(status), RpcOutcome::kCancelled) << Text(status);
  }
}

TEST(RpcOutcomeTest, AConnectionThatIsKilledIsGone) {
  const auto server = StartServer();
  Member member(*server);
  OpenStream stream(member.stub());
  member.Kill();
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(JudgeOutcome(status), RpcOutcome::kConnectionGone) << Text(status);
  for (int i = 0; i < 3; ++i) {
    const grpc::Status after = Unary(member.stub());
    EXPECT_EQ(JudgeOutcome(after), RpcOutcome::kConnectionGone) << Text(after);
  }
}

TEST(RpcOutcomeTest, AConnectionThatIsKilledBeforeAnyRpcIsGone) {
  const auto server = StartServer();
  Member member(*server);
  member.Kill();
  for (int i = 0; i < 3; ++i) {
    const grpc::Status status = Unary(member.stub());
    EXPECT_EQ(JudgeOutcome(status), RpcOutcome::kConnectionGone) << Text(status);
  }
}

TEST(RpcOutcomeTest, AConnectionThatThePeerClosesIsGone) {
  for (const bool abort : {false, true}) {
    RawServer server;
    Member member(server.address());
    server.Accept();
    std::thread peer([&] {
      server.ReadPreface();
      abort ? server.Abort() : server.Close();
    });
    const grpc::Status status = Unary(member.stub());
    EXPECT_EQ(JudgeOutcome(status), RpcOutcome::kConnectionGone) << Text(status);
    peer.join();
  }
}

TEST(RpcOutcomeTest, AConnectionWhosePeerAnswersNoPingIsGone) {
  RawServer server;
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 50);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 50);
  Member member(server.address(), args);
  server.Accept();
  server.Send(kEmptySettings);
  const grpc::Status status = Unary(member.stub());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(JudgeOutcome(status), RpcOutcome::kConnectionGone) << Text(status);
}

TEST(RpcOutcomeTest, AServerOfHttp1IsNone) {
  RawServer server;
  Member member(server.address());
  server.Accept();
  std::thread peer([&] {
    server.ReadPreface();
    server.Send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  });
  const grpc::Status status = Unary(member.stub());
  EXPECT_EQ(JudgeOutcome(status), RpcOutcome::kConnectionGone) << Text(status);
  peer.join();
}

TEST(RpcOutcomeTest, AfterAGoawayNewRpcsFindTheConnectionGoneAndOldOnesGoOn) {
  EchoServerOptions options;
  options.max_connection_age = absl::Milliseconds(50);
  const auto server = StartServer(options);
  Member member(*server);
  OpenStream stream(member.stub());
  const auto deadline = std::chrono::steady_clock::now() + kTestPatience;
  grpc::Status status;
  while (status.ok() && std::chrono::steady_clock::now() < deadline) status = Unary(member.stub());
  EXPECT_EQ(JudgeOutcome(status), RpcOutcome::kConnectionGone) << Text(status);
  EXPECT_TRUE(stream.Exchange());
}

TEST(RpcOutcomeTest, AnEndByTheServerIsAnAnswerAndTheConnectionIsGoneAfterIt) {
  auto server = StartServer();
  Member member(*server);
  OpenStream stream(member.stub());
  std::thread stopping([&] { server->Shutdown(absl::ZeroDuration()); });
  const grpc::Status status = stream.Finish();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(JudgeOutcome(status), RpcOutcome::kConnectionGone) << Text(status);
  stopping.join();
  const grpc::Status after = Unary(member.stub());
  EXPECT_EQ(JudgeOutcome(after), RpcOutcome::kConnectionGone) << Text(after);
}

// An ordinary channel, as the anchor is, says that it cannot connect; that is no connection's end.
TEST(RpcOutcomeTest, AnOrdinaryChannelThatCannotConnectHasNoConnectionToLose) {
  const UniqueFd nobody = BindSocket("127.0.0.1:0");
  const auto stub = Echo::NewStub(grpc::CreateChannel(LocalAddress(nobody.get()).ToGrpcTarget(),
                                                      grpc::InsecureChannelCredentials()));
  const grpc::Status status = Unary(*stub);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(JudgeOutcome(status), RpcOutcome::kFailed) << Text(status);
}

}  // namespace
}  // namespace predial
