// The interop_client binary, as a process: what it prints, and how it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/echo/process.h"
#include "interop_tests/cases/case.h"
#include "interop_tests/peers/test_server.h"

namespace predial {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

Process::Ended RunClient(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "interop_tests/cases/interop_client");
  return Process::RunToEnd(std::move(arguments)).value();
}

TEST(InteropClientTest, ListsTheCases) {
  const Process::Ended ended = RunClient({"--list"});
  EXPECT_EQ(ended.code, 0);
  std::vector<std::string> names;
  for (const Case& each : AllCases()) names.push_back(each.name);
  EXPECT_EQ(ended.lines, names);
}

TEST(InteropClientTest, PrintsALineForEachChannelCaseAndApi) {
  TestServerOptions options;
  options.faults.no_initial_metadata = true;
  const auto server = TestServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  const Process::Ended ended = RunClient(
      {absl::StrCat("--target=ipv4:", (*server)->address()), "--channels=ordinary,least_loaded",
       "--cases=empty_unary,custom_metadata", "--apis=sync,callback"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  std::vector<std::string> patterns;
  for (const char* channel : {"ordinary", "least_loaded"}) {
    for (const char* api : {"sync", "callback"}) {
      patterns.push_back(absl::StrCat("^RESULT ", channel, " empty_unary ", api, " pass [0-9]+ $"));
    }
    for (const char* api : {"sync", "callback"}) {
      patterns.push_back(absl::StrCat("^RESULT ", channel, " custom_metadata ", api,
                                      " fail [0-9]+ UnaryCall: expected the initial metadata .*"
                                      "got none$"));
    }
  }
  ASSERT_EQ(ended.lines.size(), patterns.size());
  for (size_t i = 0; i < patterns.size(); ++i) {
    EXPECT_THAT(ended.lines[i], ContainsRegex(patterns[i]));
  }
}

TEST(InteropClientTest, ATargetThatAPoolCannotHaveFailsItsCases) {
  const Process::Ended ended = RunClient({"--target=nope://x", "--channels=round_robin",
                                          "--cases=empty_unary,large_unary", "--apis=async"});
  EXPECT_EQ(ended.code, 0) << ended.errors;
  ASSERT_EQ(ended.lines.size(), 2u);
  EXPECT_THAT(ended.lines[0], ContainsRegex("^RESULT round_robin empty_unary async fail 0 .*nope"));
}

TEST(InteropClientTest, WrongArgumentsEndIt) {
  const Process::Ended ended = RunClient({"--target=ipv4:127.0.0.1:1", "--cases=nothing"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_TRUE(ended.lines.empty());
  EXPECT_THAT(ended.errors, HasSubstr("interop_client: --cases: there is no case \"nothing\""));
}

}  // namespace
}  // namespace predial
