// The cpp_server binary, as a process.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "examples/echo/process.h"
#include "examples/echo/socket_dir.h"
#include "proto/test_service.grpc.pb.h"

namespace predial {
namespace {

using testing::HasSubstr;

std::unique_ptr<Process> RunServer(std::vector<std::string> flags) {
  flags.insert(flags.begin(), "interop_tests/peers/cpp_server");
  absl::StatusOr<std::unique_ptr<Process>> process = Process::Start(std::move(flags));
  EXPECT_TRUE(process.ok()) << process.status();
  return process.ok() ? *std::move(process) : nullptr;
}

// What it says that it listens on.
std::string AddressOf(Process& process) {
  const absl::StatusOr<std::string> line = process.ReadLine();
  EXPECT_TRUE(line.ok()) << line.status();
  absl::string_view address;
  if (line.ok()) address = *line;
  EXPECT_TRUE(absl::ConsumePrefix(&address, "listening on ")) << address;
  return std::string(address);
}

grpc::Status Call(const std::string& address) {
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  grpc::testing::Empty empty;
  return grpc::testing::TestService::NewStub(channel)->EmptyCall(&context, empty, &empty);
}

void ExpectCleanExit(Process& process) {
  const absl::StatusOr<int> code = process.Wait();
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(*code, 0) << process.ErrorOutput();
  EXPECT_EQ(process.ReadLine().status().code(), absl::StatusCode::kOutOfRange)
      << "more than one line on stdout";
}

class CppServerTest : public testing::TestWithParam<const char*> {};

TEST_P(CppServerTest, ServesUntilItIsTold) {
  const auto process = RunServer({absl::StrCat("--address=", GetParam()), "--port=0"});
  ASSERT_NE(process, nullptr);
  const std::string address = AddressOf(*process);
  EXPECT_TRUE(Call(address).ok()) << address;
  process->Signal(SIGTERM);
  ExpectCleanExit(*process);
}

INSTANTIATE_TEST_SUITE_P(Addresses, CppServerTest, testing::Values("127.0.0.1", "::1", "[::1]"),
                         [](const testing::TestParamInfo<const char*>& info) {
                           return absl::StrCat("Address", info.index);
                         });

TEST(CppServerUnixTest, ServesUntilItIsTold) {
  const SocketDir directory;
  const std::string path = absl::StrCat("unix:", directory.path(), "/socket");
  const auto process = RunServer({absl::StrCat("--address=", path)});
  ASSERT_NE(process, nullptr);
  EXPECT_EQ(AddressOf(*process), path);
  EXPECT_TRUE(Call(path).ok());
  process->Signal(SIGINT);
  ExpectCleanExit(*process);
}

TEST(CppServerErrorTest, SaysWhatIsWrong) {
  const auto first = RunServer({"--port=0"});
  ASSERT_NE(first, nullptr);
  const std::string address = AddressOf(*first);
  const std::string port = address.substr(address.rfind(':') + 1);
  for (const auto& [flag, text] : std::vector<std::pair<std::string, std::string>>{
           {absl::StrCat("--port=", port), absl::StrCat("cannot listen on 127.0.0.1:", port)},
           {"--port=65536", "--port is 65536; it must be within [0, 65535]"},
           {"extra", "unexpected argument: extra"}}) {
    const auto process = RunServer({flag});
    ASSERT_NE(process, nullptr);
    EXPECT_EQ(process->Wait().value_or(-1), 1) << flag;
    EXPECT_THAT(process->ErrorOutput(), HasSubstr(text));
  }
}

}  // namespace
}  // namespace predial
