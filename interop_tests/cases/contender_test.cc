#include "interop_tests/cases/contender.h"

#include <gmock/gmock.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "interop_tests/cases/test_client.h"
#include "interop_tests/peers/test_server.h"
#include "plugin/testing/scripted_server.h"

namespace predial {
namespace {

using testing::HasSubstr;

grpc::Status Call(const Contender& contender, grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  grpc::testing::Empty empty;
  return MakeTestClient(Api::kSync, contender.channel())->EmptyCall(context, empty, &empty);
}

class ContenderTest : public testing::Test {
 protected:
  std::unique_ptr<Contender> Make(const std::string& name) {
    auto contender = Contender::Create({name, absl::StrCat("ipv4:", server_->address())});
    EXPECT_TRUE(contender.ok()) << contender.status();
    return contender.ok() ? *std::move(contender) : nullptr;
  }

  const std::unique_ptr<TestServer> server_ = *TestServer::Start();
};

TEST_F(ContenderTest, RpcsGoTheWayOfEach) {
  for (const std::string& name : Contender::Names()) {
    SCOPED_TRACE(name);
    const auto contender = Make(name);
    ASSERT_NE(contender, nullptr);
    grpc::ClientContext context;
    EXPECT_TRUE(Call(*contender, &context).ok());
    EXPECT_EQ(contender->End(), absl::OkStatus());
  }
}

TEST_F(ContenderTest, OnlyOneHasAnAffinityKey) {
  for (const std::string& name : Contender::Names()) {
    const auto contender = Make(name);
    ASSERT_NE(contender, nullptr);
    EXPECT_EQ(contender->affinity_key().empty(), name != "affinity") << name;
  }
}

TEST_F(ContenderTest, NoRpcIsAnError) {
  const auto contender = Make("round_robin");
  ASSERT_NE(contender, nullptr);
  EXPECT_THAT(std::string(contender->End().message()),
              HasSubstr("0 went over members, 0 over the anchor"));
}

// With credentials of its own an RPC takes the anchor, where it is refused.
TEST_F(ContenderTest, AnRpcOverTheAnchorIsAnError) {
  const auto contender = Make("least_loaded");
  ASSERT_NE(contender, nullptr);
  grpc::ClientContext context;
  context.set_credentials(grpc::AccessTokenCredentials("token"));
  EXPECT_FALSE(Call(*contender, &context).ok());
  EXPECT_THAT(std::string(contender->End().message()),
              HasSubstr("over the members only: 0 went over members, 1 over the anchor"));
  EXPECT_EQ(contender->Begin(), absl::OkStatus());
  grpc::ClientContext second;
  EXPECT_TRUE(Call(*contender, &second).ok());
  EXPECT_EQ(contender->End(), absl::OkStatus());
}

TEST_F(ContenderTest, ALeaseThatIsNotGivenBackIsAnError) {
  const auto contender = Make("round_robin");
  ASSERT_NE(contender, nullptr);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  {
    const auto client = MakeTestClient(Api::kSync, contender->channel());
    const auto stream = client->FullDuplexCall(&context);
    EXPECT_THAT(std::string(contender->End(std::chrono::milliseconds(10)).message()),
                HasSubstr("1 leases were not given back"));
  }
  EXPECT_EQ(contender->End(), absl::OkStatus());
}

TEST(ContenderAuthorityTest, IsTheTargetsOrTheGivenOne) {
  for (const std::string& name : Contender::Names()) {
    for (const std::string given : {"", "orders.example"}) {
      SCOPED_TRACE(absl::StrCat(name, " ", given));
      ScriptedServer server;
      const auto contender = Contender::Create({name, server.target(), given});
      ASSERT_TRUE(contender.ok()) << contender.status();
      grpc::ClientContext context;
      ASSERT_TRUE(Call(**contender, &context).ok());
      const auto requests = server.Record().RequestsTo("/grpc.testing.TestService/EmptyCall");
      ASSERT_EQ(requests.size(), 1u);
      EXPECT_EQ(requests[0].header(":authority"), given.empty() ? server.address() : given);
    }
  }
}

TEST(ContenderCreateTest, RefusesUnknownNames) {
  const auto contender = Contender::Create({"fastest", "ipv4:127.0.0.1:1"});
  EXPECT_EQ(contender.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(contender.status().message()), HasSubstr("no channel \"fastest\""));
}

TEST(ContenderCreateTest, SaysWhyThereAreNoMembers) {
  const auto contender = Contender::Create(
      {"round_robin", "unix-abstract:predial-nobody-is-here", "", std::chrono::milliseconds(200)});
  EXPECT_EQ(contender.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(contender.status().message()),
              testing::AllOf(HasSubstr("of 2 members"), HasSubstr("0 were ready"),
                             HasSubstr("predial-nobody-is-here")));
}

}  // namespace
}  // namespace predial
