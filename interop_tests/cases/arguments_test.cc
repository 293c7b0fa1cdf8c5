#include "interop_tests/cases/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "interop_tests/cases/contender.h"

namespace predial {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string ErrorOf(const std::vector<std::string>& arguments) {
  const auto parsed = ParseArguments(arguments);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

TEST(ArgumentsTest, AllThatIsNotNamed) {
  const auto parsed = ParseArguments({"--target=ipv4:127.0.0.1:1"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->target, "ipv4:127.0.0.1:1");
  EXPECT_EQ(parsed->authority, "");
  EXPECT_EQ(parsed->channels, Contender::Names());
  EXPECT_EQ(parsed->cases.size(), AllCases().size());
  EXPECT_THAT(parsed->apis, ElementsAre(Api::kSync, Api::kAsync, Api::kCallback));
  EXPECT_EQ(parsed->options.soak_rpcs, 1000);
  EXPECT_FALSE(parsed->list);
  EXPECT_FALSE(parsed->help);
}

TEST(ArgumentsTest, ThoseThatAreNamed) {
  const auto parsed = ParseArguments({"--target=a=b", "--authority=orders.example",
                                      "--channels=anchor,ordinary", "--cases=ping_pong,rpc_soak",
                                      "--apis=callback", "--soak_rpcs=7", "--long_lived_ms=8"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->target, "a=b");
  EXPECT_EQ(parsed->authority, "orders.example");
  EXPECT_THAT(parsed->channels, ElementsAre("anchor", "ordinary"));
  EXPECT_THAT(parsed->cases, ElementsAre(FindCase("ping_pong"), FindCase("rpc_soak")));
  EXPECT_THAT(parsed->apis, ElementsAre(Api::kCallback));
  EXPECT_EQ(parsed->options.soak_rpcs, 7);
  EXPECT_EQ(parsed->options.long_lived_for, std::chrono::milliseconds(8));
}

TEST(ArgumentsTest, ListAndHelpNeedNoTarget) {
  const auto list = ParseArguments({"--list"});
  ASSERT_TRUE(list.ok()) << list.status();
  EXPECT_TRUE(list->list);
  const auto help = ParseArguments({"--help"});
  ASSERT_TRUE(help.ok()) << help.status();
  EXPECT_TRUE(help->help);
}

TEST(ArgumentsTest, ErrorsNameTheArgument) {
  EXPECT_EQ(ErrorOf({}), "--target is missing");
  EXPECT_EQ(ErrorOf({"--target"}), "unknown argument, or one without a value: --target");
  EXPECT_EQ(ErrorOf({"--target=a", "extra"}), "unknown argument, or one without a value: extra");
  EXPECT_EQ(ErrorOf({"--target=a", "--tls=1"}), "unknown argument: --tls");
  EXPECT_EQ(ErrorOf({"--target=a", "--channels=ordinary,fast"}),
            "--channels: there is no channel \"fast\"");
  EXPECT_EQ(ErrorOf({"--target=a", "--channels="}), "--channels: there is no channel \"\"");
  EXPECT_THAT(ErrorOf({"--target=a", "--cases=ping_pong,pong"}), HasSubstr("no case \"pong\""));
  EXPECT_EQ(ErrorOf({"--target=a", "--apis=sync,generic"}), "--apis: there is no API \"generic\"");
  for (const std::string value : {"0", "-1", "1000001", "many", ""}) {
    EXPECT_EQ(ErrorOf({"--target=a", "--soak_rpcs=" + value}),
              "--soak_rpcs is " + value + "; it must be within [1, 1000000]");
  }
  for (const std::string value : {"0", "3600001", "long"}) {
    EXPECT_EQ(ErrorOf({"--target=a", "--long_lived_ms=" + value}),
              "--long_lived_ms is " + value + "; it must be within [1, 3600000]");
  }
}

}  // namespace
}  // namespace predial
