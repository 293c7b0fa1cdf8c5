#include "examples/echo/echo_server_lib.h"

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/echo/health_stream.h"
#include "examples/echo/socket_dir.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "plugin/mutex.h"
#include "proto/echo.grpc.pb.h"
#include "proto/health.pb.h"

namespace predial {
namespace {

using echo::v1::Echo;
using health::v1::HealthCheckResponse;
using ::testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

std::chrono::system_clock::time_point Soon() { return absl::ToChronoTime(absl::Now() + kLong); }

std::unique_ptr<EchoServer> StartOrDie(const EchoServerOptions& options = {}) {
  absl::StatusOr<std::unique_ptr<EchoServer>> server = EchoServer::Start(options);
  if (!server.ok()) {
    ADD_FAILURE() << server.status();
    abort();
  }
  return *std::move(server);
}

std::shared_ptr<grpc::Channel> ChannelTo(const EchoServer& server) {
  return grpc::CreateChannel(server.address(), grpc::InsecureChannelCredentials());
}

absl::StatusOr<int> PortThatAnswers(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(Soon());
  echo::v1::EchoResponse response;
  const grpc::Status status = Echo::NewStub(channel)->Unary(&context, {}, &response);
  if (!status.ok()) return absl::UnknownError(status.error_message());
  return response.server_port();
}

TEST(EchoServerTest, ListensOnAnyFreePort) {
  const auto one = StartOrDie();
  const auto two = StartOrDie();
  EXPECT_NE(one->port(), two->port());
  EXPECT_EQ(one->address(), absl::StrCat("127.0.0.1:", one->port()));
  EXPECT_EQ(*PortThatAnswers(ChannelTo(*one)), one->port());
  EXPECT_EQ(*PortThatAnswers(ChannelTo(*two)), two->port());
  EXPECT_EQ(one->rpcs(), 1);
}

TEST(EchoServerTest, TellsOfEachUnaryRpcBeforeItAnswers) {
  Mutex mu;
  std::vector<std::string> seen;
  EchoServerOptions options;
  options.on_unary = [&](const echo::v1::EchoRequest& request) {
    MutexLock lock(mu);
    seen.push_back(request.message());
  };
  const auto server = StartOrDie(options);
  const auto stub = Echo::NewStub(ChannelTo(*server));
  for (const std::string message : {"one", "two"}) {
    grpc::ClientContext context;
    context.set_deadline(Soon());
    echo::v1::EchoRequest request;
    request.set_message(message);
    request.set_status_code(message == "two" ? grpc::StatusCode::NOT_FOUND : 0);
    echo::v1::EchoResponse response;
    stub->Unary(&context, request, &response);
    MutexLock lock(mu);
    ASSERT_FALSE(seen.empty());
    EXPECT_EQ(seen.back(), message);
  }
  MutexLock lock(mu);
  EXPECT_EQ(seen.size(), 2);
}

TEST(EchoServerTest, NeverSharesAPort) {
  const auto one = StartOrDie();
  EchoServerOptions options;
  options.address = one->address();
  const auto two = EchoServer::Start(options);
  EXPECT_EQ(two.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(two.status().message()), HasSubstr(one->address()));
}

TEST(EchoServerTest, ReusesThePortOfOneThatShutDown) {
  auto one = StartOrDie();
  EchoServerOptions options;
  options.address = one->address();
  EXPECT_TRUE(PortThatAnswers(ChannelTo(*one)).ok());
  one.reset();
  const auto two = EchoServer::Start(options);
  ASSERT_TRUE(two.ok()) << two.status();
  EXPECT_EQ(*PortThatAnswers(ChannelTo(**two)), (*two)->port());
}

TEST(EchoServerTest, ListensOnAUnixSocket) {
  EchoServerOptions options;
  const SocketDir dir;
  options.address = absl::StrCat("unix:", dir.path(), "/echo");
  const auto server = StartOrDie(options);
  EXPECT_EQ(server->address(), options.address);
  EXPECT_EQ(server->port(), 0);
  EXPECT_EQ(*PortThatAnswers(ChannelTo(*server)), 0);
}

TEST(EchoServerTest, SaysWhichOptionIsWrong) {
  EchoServerOptions options;
  options.max_connection_age = absl::ZeroDuration();
  EXPECT_THAT(std::string(EchoServer::Start(options).status().message()),
              HasSubstr("max_connection_age is 0"));
  options = {};
  options.max_connection_age_grace = absl::Hours(24 * 365);
  EXPECT_THAT(std::string(EchoServer::Start(options).status().message()),
              HasSubstr("max_connection_age_grace is 8760h"));
  options = {};
  options.max_concurrent_streams = -1;
  EXPECT_THAT(std::string(EchoServer::Start(options).status().message()),
              HasSubstr("max_concurrent_streams is -1"));
}

TEST(EchoServerTest, HealthFollowsSetServing) {
  const auto server = StartOrDie();
  const auto channel = ChannelTo(*server);
  for (const std::string service : {"", "predial.echo.v1.Echo"}) {
    HealthStream watch(channel, service);
    EXPECT_EQ(watch.Next(kLong), HealthCheckResponse::SERVING) << service;
    server->SetServing(false);
    EXPECT_EQ(watch.Next(kLong), HealthCheckResponse::NOT_SERVING) << service;
    EXPECT_TRUE(PortThatAnswers(channel).ok()) << "a lame duck still answers";
    server->SetServing(true);
    EXPECT_EQ(watch.Next(kLong), HealthCheckResponse::SERVING) << service;
    HealthCheckResponse response;
    EXPECT_TRUE(CheckHealth(channel, service, &response).ok()) << service;
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING) << service;
  }
}

TEST(EchoServerTest, CanBeWithoutHealthBesideOneWithHealth) {
  EchoServerOptions options;
  options.health = false;
  const auto with = StartOrDie();
  const auto without = StartOrDie(options);
  HealthCheckResponse response;
  EXPECT_TRUE(CheckHealth(ChannelTo(*with), "", &response).ok());
  EXPECT_EQ(CheckHealth(ChannelTo(*without), "", &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  without->SetServing(false);
  EXPECT_TRUE(PortThatAnswers(ChannelTo(*without)).ok());
}

TEST(EchoServerTest, EndsConnectionsAtTheirAge) {
  EchoServerOptions options;
  options.max_connection_age = absl::Milliseconds(100);
  const auto server = StartOrDie(options);
  const auto channel = ChannelTo(*server);
  ASSERT_TRUE(channel->WaitForConnected(Soon()));
  EXPECT_TRUE(channel->WaitForStateChange(GRPC_CHANNEL_READY, Soon()));
}

// With a limit of one, a second RPC beside an open stream waits until its deadline.
TEST(EchoServerTest, LimitsTheStreamsOfAConnection) {
  EchoServerOptions options;
  options.max_concurrent_streams = 1;
  const auto server = StartOrDie(options);
  const auto channel = ChannelTo(*server);
  const auto stub = Echo::NewStub(channel);
  grpc::ClientContext stream_context;
  stream_context.set_deadline(Soon());
  const auto stream = stub->BidiStream(&stream_context);
  echo::v1::EchoResponse response;
  ASSERT_TRUE(stream->Write({}));
  ASSERT_TRUE(stream->Read(&response));
  {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(200)));
    EXPECT_EQ(stub->Unary(&context, {}, &response).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(PortThatAnswers(channel).ok());
}

TEST(EchoServerTest, ShutdownLetsRpcsFinish) {
  const auto server = StartOrDie();
  const auto stub = Echo::NewStub(ChannelTo(*server));
  grpc::ClientContext context;
  context.set_deadline(Soon());
  const auto stream = stub->ServerStream(&context, [] {
    echo::v1::EchoRequest request;
    request.set_responses(10);
    request.mutable_delay()->set_nanos(20'000'000);
    return request;
  }());
  echo::v1::EchoResponse response;
  ASSERT_TRUE(stream->Read(&response));
  server->Shutdown(kLong);
  int received = 1;
  while (stream->Read(&response)) ++received;
  EXPECT_EQ(received, 10);
  EXPECT_TRUE(stream->Finish().ok());
}

TEST(EchoServerTest, ShutdownCutsOffAtItsDeadline) {
  const auto server = StartOrDie();
  HealthStream watch(ChannelTo(*server), "");
  EXPECT_EQ(watch.Next(kLong), HealthCheckResponse::SERVING);
  const absl::Time begin = absl::Now();
  server->Shutdown(absl::Milliseconds(100));
  EXPECT_LT(absl::Now() - begin, kLong);
  EXPECT_EQ(watch.Next(kLong), std::nullopt);
  EXPECT_LT(absl::Now() - begin, kLong) << "the watch should have ended";
}

}  // namespace
}  // namespace predial
