// What cannot work, from Create to the RPCs: each error names what is wrong.
#include <gmock/gmock.h>
#include <grpc/support/log.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/api_test_calls.h"
#include "plugin/api_test_channels.h"
#include "plugin/grpc_log.h"
#include "plugin/io/io_test_util.h"
#include "plugin/observer.h"

namespace predial {
namespace {

using testing::Contains;
using testing::HasSubstr;

// Everything that a channel can be created from.
struct Creation {
  std::string target = "127.0.0.1:1";
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  grpc::ChannelArguments args;
  PoolOptions options;
};

// Expects TryCreate to fail with `code` and a message that has each of `parts`, and Create to give
// a channel on which an RPC fails with that message, which is logged as well.
void ExpectFails(const Creation& from, absl::StatusCode code,
                 const std::vector<std::string>& parts) {
  SCOPED_TRACE(from.target);
  const auto tried =
      PooledChannel::TryCreate(from.target, from.credentials, from.args, from.options);
  EXPECT_EQ(tried.status().code(), code) << tried.status();
  const std::string message(tried.status().message());
  EXPECT_THAT(message, HasSubstr(absl::StrCat("\"", from.target, "\"")));
  for (const std::string& part : parts) EXPECT_THAT(message, HasSubstr(part));

  const GrpcLog log(GPR_LOG_SEVERITY_ERROR);
  const auto channel =
      PooledChannel::Create(from.target, from.credentials, from.args, from.options);
  ASSERT_NE(channel, nullptr);
  EXPECT_THAT(log.Get(), Contains(absl::StrCat("predial: ", message)).Times(1));
  grpc::ClientContext context;
  const CallResult result =
      MakeCall(CallApi::kSync, RpcType::kUnary, channel, &context, EchoRequests(1));
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(result.status.error_message(), message);
}

TEST(PooledChannelErrorsTest, TargetsThatCannotBe) {
  const struct {
    const char* target;
    const char* cause;
  } cases[] = {
      {"", "it is empty"},
      {"orders", "the port is missing"},
      {"orders:", "the port is missing"},
      {"dns:///orders", "the port is missing"},
      {"127.0.0.1", "the port is missing"},
      {"127.0.0.1:0", "0"},
      {"orders:0", "0"},
      {"127.0.0.1:65536", "65536"},
      {"127.0.0.1:-1", "-1"},
      {":50051", "the host is missing"},
      {"[::1:50051", "]"},
      {"ipv4:1.2.3:50051", "1.2.3"},
      {"ipv6:[::g]:50051", "::g"},
      {"ipv4:", "the address is missing"},
      {"unix:", "missing"},
      {"bogus:///orders:1", "bogus"},
      {"dns://8.8.8.8/orders:1", "8.8.8.8"},
      {"a host:1", "a host"},
  };
  for (const auto& [target, cause] : cases) {
    Creation creation;
    creation.target = target;
    ExpectFails(creation, absl::StatusCode::kInvalidArgument, {cause});
  }
}

TEST(PooledChannelErrorsTest, OptionsThatAreNotValid) {
  Creation creation;
  creation.options.connections_min = 20;
  ExpectFails(creation, absl::StatusCode::kInvalidArgument,
              {"connections_min (20)", "connections_max (16)"});
  creation.options = {};
  creation.options.idle_timeout = absl::Seconds(-1);
  ExpectFails(creation, absl::StatusCode::kInvalidArgument, {"idle_timeout is -1s"});
  creation.options = {};
  creation.options.socket.connect_timeout = absl::ZeroDuration();
  ExpectFails(creation, absl::StatusCode::kInvalidArgument, {"connect_timeout is 0"});
}

TEST(PooledChannelErrorsTest, CredentialsThatItCannotUse) {
  Creation creation;
  creation.credentials = nullptr;
  ExpectFails(creation, absl::StatusCode::kInvalidArgument,
              {"credentials are null", "InsecureChannelCredentials"});
  creation.credentials = grpc::SslCredentials({});
  creation.options.mode = PoolOptions::Mode::kFd;
  ExpectFails(creation, absl::StatusCode::kInvalidArgument, {"mode is kFd", "credentials"});
}

TEST(PooledChannelErrorsTest, ArgumentsThatItCannotHonor) {
  Creation creation;
  creation.options.mode = PoolOptions::Mode::kFd;
  creation.args.SetServiceConfigJSON("{}");
  ExpectFails(creation, absl::StatusCode::kInvalidArgument, {"mode is kFd", "service_config"});
  creation.args = {};
  creation.args.SetLoadBalancingPolicyName("round_robin");
  ExpectFails(creation, absl::StatusCode::kInvalidArgument, {"mode is kFd", "lb_policy_name"});
  creation.args = {};
  creation.target = "xds:///orders";
  ExpectFails(creation, absl::StatusCode::kInvalidArgument, {"mode is kFd", "xds"});
}

TEST(PooledChannelErrorsTest, EveryApiGetsTheReason) {
  const auto channel =
      PooledChannel::Create("orders", grpc::InsecureChannelCredentials(), PoolOptions());
  for (CallApi api : kCallApis) {
    for (RpcType type :
         {RpcType::kUnary, RpcType::kClientStream, RpcType::kServerStream, RpcType::kBidiStream}) {
      grpc::ClientContext context;
      context.set_wait_for_ready(true);
      const grpc::Status status = MakeCall(api, type, channel, &context, EchoRequests(1)).status;
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
      EXPECT_THAT(status.error_message(), HasSubstr("the port is missing"));
    }
  }
  EXPECT_EQ(channel->Stats().target, "");
  EXPECT_TRUE(channel->Shutdown(absl::InfiniteFuture()));
}

// --- Targets where no server is.

class PooledChannelNoServerTest : public testing::Test {
 protected:
  // An RPC that does not wait; its error's message.
  static std::string FailedRpc(const std::shared_ptr<PooledChannel>& channel) {
    const grpc::Status status =
        Echo(*echo::v1::Echo::NewStub(channel), "hello", /*wait_for_ready=*/false);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    return status.error_message();
  }
  static std::shared_ptr<PooledChannel> CreateAndFail(const std::string& target) {
    auto channel = PooledChannel::TryCreate(target, grpc::InsecureChannelCredentials());
    EXPECT_TRUE(channel.ok()) << channel.status();
    EXPECT_TRUE(
        Eventually([&] { return (*channel)->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE; }));
    return *channel;
  }
  static int64_t Dials(const PooledChannel& channel, DialResult result) {
    return channel.Stats().dials[static_cast<int>(result)];
  }
};

TEST_F(PooledChannelNoServerTest, AnUnknownNameIsNamed) {
  const auto channel = CreateAndFail("dns:///name.invalid:50051");
  EXPECT_THAT(channel->Stats().last_error, HasSubstr("name.invalid"));
  EXPECT_THAT(FailedRpc(channel), HasSubstr("name.invalid"));
  EXPECT_TRUE(channel->Stats().endpoints.empty());
}

TEST_F(PooledChannelNoServerTest, ARefusedConnectionIsNamed) {
  const UniqueFd bound = BindSocket("127.0.0.1:0");  // and not listening
  const std::string address = LocalAddress(bound.get()).ToString();
  const auto channel = CreateAndFail(absl::StrCat("ipv4:", address));
  EXPECT_THAT(channel->Stats().last_error, HasSubstr(address));
  EXPECT_THAT(channel->Stats().last_error, HasSubstr("refused"));
  EXPECT_THAT(FailedRpc(channel), HasSubstr(address));
  EXPECT_GT(Dials(*channel, DialResult::kRefused), 0);
  ASSERT_EQ(channel->Stats().endpoints.size(), 1u);
  EXPECT_EQ(channel->Stats().endpoints[0].address, address);
  EXPECT_GT(channel->Stats().endpoints[0].failed_dials, 0);
}

TEST_F(PooledChannelNoServerTest, AMissingSocketIsNamed) {
  const std::string path = "/dev/null/predial";
  const auto channel = CreateAndFail(absl::StrCat("unix:", path));
  EXPECT_THAT(channel->Stats().last_error, HasSubstr(path));
  EXPECT_THAT(FailedRpc(channel), HasSubstr(path));
  EXPECT_EQ(Dials(*channel, DialResult::kOk), 0);
}

}  // namespace
}  // namespace predial
