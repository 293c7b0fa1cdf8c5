// The link_relay binary, as a process.
#include <signal.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "examples/echo/process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugin/io/address.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"

namespace predial {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Process> RunRelay(std::vector<std::string> flags) {
  flags.insert(flags.begin(), "benchmarks/compare/link_relay");
  absl::StatusOr<std::unique_ptr<Process>> process = Process::Start(std::move(flags));
  EXPECT_TRUE(process.ok()) << process.status();
  return process.ok() ? *std::move(process) : nullptr;
}

TEST(LinkRelayMainTest, PassesOnUntilItIsToldToEnd) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  const std::unique_ptr<Process> relay =
      RunRelay({absl::StrCat("--upstream=", LocalAddress(listener.get()).ToString()), "--delay=2ms",
                "--rate=10M", "--stall_every=1h", "--stall_length=1s", "--seed=3"});
  ASSERT_NE(relay, nullptr);
  const absl::StatusOr<std::string> line = relay->ReadLine();
  ASSERT_TRUE(line.ok()) << line.status() << relay->ErrorOutput();
  absl::string_view address = *line;
  ASSERT_TRUE(absl::ConsumePrefix(&address, "listening on ")) << *line;
  const UniqueFd client = ConnectTo(*Address::Parse(address));
  ASSERT_EQ(send(client.get(), "abc", 3, MSG_NOSIGNAL), 3);
  ASSERT_TRUE(WaitFor(listener.get(), POLLIN));
  const UniqueFd server(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  char bytes[3];
  ASSERT_EQ(recv(server.get(), bytes, 3, MSG_WAITALL), 3);
  EXPECT_EQ(std::string(bytes, 3), "abc");
  relay->Signal(SIGTERM);
  const absl::StatusOr<int> code = relay->Wait();
  ASSERT_TRUE(code.ok()) << code.status();
  EXPECT_EQ(*code, 0) << relay->ErrorOutput();
  const absl::StatusOr<std::string> sum = relay->ReadLine();
  ASSERT_TRUE(sum.ok()) << sum.status();
  EXPECT_EQ(*sum, "1 connections, 3 bytes up, 0 down, 0 stalls");
}

TEST(LinkRelayMainTest, RefusesBadFlags) {
  const std::string upstream = "--upstream=127.0.0.1:1";
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{}, "--upstream is missing"},
      {{"--upstream=here"}, "here"},
      {{upstream, "--delay=11s"}, "delay is 11s; it must be within [0, 10s]"},
      {{upstream, "--rate=fast"}, "'fast' is no rate"},
      {{upstream, "--rate=1k"}, "rate is 1000; it must be 0 or within [10000, 100000000000]"},
      {{upstream, "--stall_every=0"}, "stall_every is 0; it must be within [1ms, inf]"},
      {{upstream, "--stall_length=2m"}, "stall_length is 2m; it must be within [1ms, 1m]"},
      {{upstream, "more"}, "unexpected argument: more"},
  };
  for (const auto& [flags, message] : cases) {
    const std::unique_ptr<Process> relay = RunRelay(flags);
    ASSERT_NE(relay, nullptr);
    const absl::StatusOr<int> code = relay->Wait();
    ASSERT_TRUE(code.ok()) << code.status();
    EXPECT_EQ(*code, 1);
    EXPECT_THAT(relay->ErrorOutput(), HasSubstr(message));
  }
}

}  // namespace
}  // namespace predial
