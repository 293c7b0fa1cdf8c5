// The echo_server binary, as a process.
#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/echo/health_stream.h"
#include "examples/echo/process.h"
#include "examples/echo/socket_dir.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "proto/echo.grpc.pb.h"
#include "proto/health.pb.h"

namespace predial {
namespace {

using echo::v1::Echo;
using health::v1::HealthCheckResponse;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr absl::Duration kLong = absl::Seconds(30);

std::chrono::system_clock::time_point Soon() { return absl::ToChronoTime(absl::Now() + kLong); }

std::unique_ptr<Process> RunServer(std::vector<std::string> flags) {
  flags.insert(flags.begin(), "examples/echo/echo_server");
  absl::StatusOr<std::unique_ptr<Process>> process = Process::Start(std::move(flags));
  EXPECT_TRUE(process.ok()) << process.status();
  return process.ok() ? *std::move(process) : nullptr;
}

// A server that listens, and a channel to it.
class EchoServerProcessTest : public ::testing::Test {
 protected:
  void StartServer(std::vector<std::string> flags) {
    process_ = RunServer(std::move(flags));
    ASSERT_NE(process_, nullptr);
    const absl::StatusOr<std::string> line = process_->ReadLine();
    ASSERT_TRUE(line.ok()) << line.status() << process_->ErrorOutput();
    absl::string_view address = *line;
    ASSERT_TRUE(absl::ConsumePrefix(&address, "listening on ")) << *line;
    address_ = std::string(address);
    channel_ = grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
  }

  grpc::Status Unary() {
    grpc::ClientContext context;
    context.set_deadline(Soon());
    echo::v1::EchoResponse response;
    return Echo::NewStub(channel_)->Unary(&context, {}, &response);
  }

  // Without a channel: an idle one reads the GOAWAY only when gRPC polls it, every five seconds.
  void ExpectCleanExit() {
    channel_.reset();
    const absl::StatusOr<int> code = process_->Wait();
    ASSERT_TRUE(code.ok()) << code.status();
    EXPECT_EQ(*code, 0) << process_->ErrorOutput();
    EXPECT_EQ(process_->ReadLine().status().code(), absl::StatusCode::kOutOfRange)
        << "more than one line on stdout";
  }

  std::unique_ptr<Process> process_;
  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(EchoServerProcessTest, PrintsItsPortAndServes) {
  StartServer({"--lame_duck=0s"});
  EXPECT_THAT(address_, StartsWith("127.0.0.1:"));
  EXPECT_TRUE(Unary().ok());
  process_->Signal(SIGINT);
  ExpectCleanExit();
  EXPECT_THAT(process_->ErrorOutput(), HasSubstr("served 1 RPCs"));
}

TEST_F(EchoServerProcessTest, ListensOnAUnixSocket) {
  const SocketDir dir;
  const std::string address = absl::StrCat("unix:", dir.path(), "/echo");
  StartServer({absl::StrCat("--address=", address), "--lame_duck=0s"});
  EXPECT_EQ(address_, address);
  EXPECT_TRUE(Unary().ok());
  process_->Signal(SIGTERM);
  ExpectCleanExit();
}

TEST_F(EchoServerProcessTest, SaysNotServingBeforeItSaysGoaway) {
  // Longer than the test: the second signal ends it.
  StartServer({"--lame_duck=10m", "--shutdown_deadline=100ms"});
  HealthStream watch(channel_, "");
  ASSERT_EQ(watch.Next(kLong), HealthCheckResponse::SERVING);
  process_->Signal(SIGTERM);
  EXPECT_EQ(watch.Next(kLong), HealthCheckResponse::NOT_SERVING);
  // No GOAWAY yet: the same connection still takes RPCs.
  EXPECT_TRUE(Unary().ok());
  EXPECT_EQ(channel_->GetState(false), GRPC_CHANNEL_READY);
  process_->Signal(SIGTERM);
  EXPECT_TRUE(channel_->WaitForStateChange(GRPC_CHANNEL_READY, Soon())) << "no GOAWAY";
  ExpectCleanExit();
}

TEST_F(EchoServerProcessTest, LetsAStreamFinish) {
  StartServer({"--lame_duck=0s", "--shutdown_deadline=10m"});
  grpc::ClientContext context;
  context.set_deadline(Soon());
  const auto stream = Echo::NewStub(channel_)->BidiStream(&context);
  echo::v1::EchoResponse response;
  ASSERT_TRUE(stream->Write({}));
  ASSERT_TRUE(stream->Read(&response));
  process_->Signal(SIGTERM);
  ASSERT_TRUE(channel_->WaitForStateChange(GRPC_CHANNEL_READY, Soon())) << "no GOAWAY";
  EXPECT_TRUE(stream->Write({}));
  EXPECT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.received(), 2);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  ExpectCleanExit();
}

TEST_F(EchoServerProcessTest, RefusesATakenPort) {
  StartServer({});
  const std::string port = address_.substr(address_.rfind(':') + 1);
  const auto second = RunServer({absl::StrCat("--port=", port)});
  ASSERT_NE(second, nullptr);
  const absl::StatusOr<int> code = second->Wait();
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(*code, 1);
  EXPECT_THAT(second->ErrorOutput(), HasSubstr(absl::StrCat("cannot listen on ", address_)));
}

TEST(EchoServerFlagsTest, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--prot=1", "Unknown command line flag 'prot'"},
      {"--port=70000", "--port is 70000"},
      {"--port=http", "Illegal value 'http' specified for flag 'port'"},
      {"--lame_duck=-1s", "--lame_duck is -1s"},
      {"--shutdown_deadline=-1s", "--shutdown_deadline is -1s"},
      {"--max_connection_age=0s", "max_connection_age is 0"},
      {"--max_concurrent_streams=-1", "max_concurrent_streams is -1"},
      {"50051", "unexpected argument: 50051"},
  };
  for (const auto& [flag, message] : cases) {
    const auto process = RunServer({flag});
    ASSERT_NE(process, nullptr);
    const absl::StatusOr<int> code = process->Wait();
    ASSERT_TRUE(code.ok()) << flag << ": " << code.status();
    EXPECT_EQ(*code, 1) << flag;
    EXPECT_THAT(process->ErrorOutput(), HasSubstr(message)) << flag;
  }
}

}  // namespace
}  // namespace predial
