// The echo_client binary, as a process.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/echo/echo_server_lib.h"
#include "examples/echo/process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Process::Ended RunClient(std::vector<std::string> flags) {
  flags.insert(flags.begin(), "examples/echo/echo_client");
  return Process::RunToEnd(std::move(flags)).value();
}

class EchoClientTest : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Channels, EchoClientTest, ::testing::Values("plain", "pooled"),
                         [](const auto& info) { return info.param; });

TEST_P(EchoClientTest, SumsUp) {
  auto server = EchoServer::Start();
  ASSERT_TRUE(server.ok()) << server.status();
  const Process::Ended ended =
      RunClient({absl::StrCat("--target=", (*server)->address()),
                 absl::StrCat("--channel=", GetParam()), "--rpcs=200", "--threads=2",
                 "--kinds=unary,client_stream,server_stream,bidi", "--metrics_port=0"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_THAT(ended.lines, Contains(StartsWith("metrics at http://127.0.0.1:")));
  EXPECT_THAT(ended.lines, Contains(StartsWith("RPCs               200 in ")));
  EXPECT_THAT(ended.lines, Contains("errors             0"));
  EXPECT_THAT(ended.lines, Contains(HasSubstr(absl::StrCat("port ", (*server)->port(), ": 200"))));
  EXPECT_THAT(ended.lines, Contains(HasSubstr("reuse rate")).Times(GetParam() == "pooled" ? 1 : 0));
  EXPECT_EQ((*server)->rpcs(), 200);
}

TEST_P(EchoClientTest, FailsIfRpcsFail) {
  auto server = EchoServer::Start();
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string address = (*server)->address();
  server->reset();
  const Process::Ended ended =
      RunClient({absl::StrCat("--target=", address), absl::StrCat("--channel=", GetParam()),
                 "--rpcs=3", "--threads=1"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.lines, Contains("errors             3"));
  EXPECT_THAT(ended.lines, Contains(HasSubstr("code 14")));
}

TEST(EchoClientFlagsTest, SaysWhatIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--tarjet=x", "Unknown command line flag 'tarjet'"},
      {"--target=", "--target is missing"},
      {"--channel=pool", "--channel is 'pool'"},
      {"--kinds=unray", "'unray' is no kind of call"},
      {"--rpcs=0", "rpcs is 0"},
      {"--metrics_port=70000", "--metrics_port is 70000"},
      {"x", "unexpected argument: x"},
  };
  for (const auto& [flag, message] : cases) {
    const Process::Ended ended = RunClient({"--target=127.0.0.1:1", flag});
    EXPECT_EQ(ended.code, 1) << flag;
    EXPECT_THAT(ended.errors, HasSubstr(message)) << flag;
  }
}

TEST(EchoClientFlagsTest, SaysThatTheMetricsPortIsTaken) {
  auto server = EchoServer::Start();
  ASSERT_TRUE(server.ok()) << server.status();
  const Process::Ended ended = RunClient(
      {"--target=127.0.0.1:1", "--rpcs=1", absl::StrCat("--metrics_port=", (*server)->port())});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.errors,
              HasSubstr(absl::StrCat("cannot serve /metrics on 127.0.0.1:", (*server)->port())));
}

}  // namespace
}  // namespace predial
