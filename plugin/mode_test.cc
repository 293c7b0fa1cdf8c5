#include "plugin/mode.h"

#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"

namespace predial {
namespace {

using Mode = PoolOptions::Mode;

class ModeTest : public testing::Test {
 protected:
  absl::StatusOr<MemberMode> Choose(Mode wanted = Mode::kAuto) const {
    return ChooseMode(wanted, target_, *credentials_, args_);
  }

  std::string target_ = "dns:///orders:50051";
  std::shared_ptr<grpc::ChannelCredentials> credentials_ = grpc::InsecureChannelCredentials();
  grpc::ChannelArguments args_;
};

TEST_F(ModeTest, PlaintextTakesDescriptors) {
  const auto mode = Choose();
  ASSERT_TRUE(mode.ok());
  EXPECT_FALSE(mode->managed);
  EXPECT_STREQ(mode->name(), "fd");
  EXPECT_EQ(mode->reason, "nothing needs an ordinary channel");
  EXPECT_TRUE(Choose(Mode::kFd).ok());
}

TEST_F(ModeTest, ManagedWhenAskedFor) {
  const auto mode = Choose(Mode::kManaged);
  ASSERT_TRUE(mode.ok());
  EXPECT_TRUE(mode->managed);
  EXPECT_FALSE(mode->secure);
  EXPECT_FALSE(mode->whole_target);
  EXPECT_STREQ(mode->name(), "managed");
  EXPECT_EQ(mode->reason, "PoolOptions::mode is kManaged");
}

// Expects that `what` makes the mode managed, and is named by the error of kFd.
void ExpectManaged(const absl::StatusOr<MemberMode>& chosen, const absl::StatusOr<MemberMode>& fd,
                   bool whole_target, const std::string& what) {
  ASSERT_TRUE(chosen.ok());
  EXPECT_TRUE(chosen->managed);
  EXPECT_EQ(chosen->whole_target, whole_target);
  EXPECT_TRUE(absl::StrContains(chosen->reason, what)) << chosen->reason;
  EXPECT_EQ(fd.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(fd.status().message(), what)) << fd.status();
  EXPECT_TRUE(absl::StrContains(fd.status().message(), "set mode to kAuto or kManaged"));
}

TEST_F(ModeTest, Credentials) {
  credentials_ = grpc::SslCredentials({});
  ExpectManaged(Choose(), Choose(Mode::kFd), /*whole_target=*/false, "credentials");
  EXPECT_TRUE(Choose()->secure);
  EXPECT_FALSE(Choose()->service_config);
}

TEST_F(ModeTest, ServiceConfig) {
  args_.SetServiceConfigJSON("{}");
  ExpectManaged(Choose(), Choose(Mode::kFd), /*whole_target=*/false, "grpc.service_config");
  EXPECT_TRUE(Choose()->service_config);
}

TEST_F(ModeTest, ServiceConfigWithAPolicy) {
  args_.SetServiceConfigJSON(R"({"loadBalancingConfig": [{"round_robin": {}}]})");
  ExpectManaged(Choose(), Choose(Mode::kFd), /*whole_target=*/true, "grpc.service_config");
}

TEST_F(ModeTest, Policy) {
  args_.SetLoadBalancingPolicyName("round_robin");
  ExpectManaged(Choose(), Choose(Mode::kFd), /*whole_target=*/true, "grpc.lb_policy_name");
}

TEST_F(ModeTest, TargetsThatOnlyGrpcResolves) {
  for (const char* target : {"xds:///orders", "xds:orders", "google-c2p:///orders"}) {
    target_ = target;
    ExpectManaged(Choose(), Choose(Mode::kFd), /*whole_target=*/true, "only gRPC can resolve");
  }
}

// A resolver that the user has registered with gRPC, perhaps; or a typing error.
TEST_F(ModeTest, UnknownSchemesOnlyWhenAskedFor) {
  target_ = "mine:///orders";
  EXPECT_FALSE(Choose()->managed);
  EXPECT_FALSE(Choose()->whole_target);
  EXPECT_TRUE(Choose(Mode::kManaged)->whole_target);
  target_ = "mine:50051";  // a host
  EXPECT_FALSE(Choose(Mode::kManaged)->whole_target);
}

TEST_F(ModeTest, EveryReasonIsNamed) {
  credentials_ = grpc::SslCredentials({});
  args_.SetLoadBalancingPolicyName("round_robin");
  EXPECT_EQ(Choose()->reason,
            "the credentials are not InsecureChannelCredentials(); channel argument "
            "grpc.lb_policy_name is set");
}

}  // namespace
}  // namespace predial
