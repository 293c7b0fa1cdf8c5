// Every API that a stub has, for every kind of RPC, over an ordinary channel and over a pooled one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <tuple>

#include "plugin/api_test_calls.h"
#include "plugin/api_test_channels.h"
#include "plugin/api_test_server.h"
#include "plugin/observer.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;

constexpr int kMessages = 3;
// More than a message may have by default: 4 MiB.
constexpr int kTooLarge = 5 << 20;

class PooledChannelApiTest
    : public testing::TestWithParam<std::tuple<ChannelKind, CallApi, RpcType>> {
 protected:
  static void TearDownTestSuite() { servers_.clear(); }

  PooledChannelApiTest()
      : server_(ServerOf(Kind())),
        already_seen_(server_->seen().size()),
        channel_(Kind(), server_->target()) {
    context_.set_deadline(Patiently());
    context_.set_wait_for_ready(true);
  }
  // The context is still there: an RPC's end is enough.
  void TearDown() override {
    channel_.ExpectAllReturned();
    EXPECT_TRUE(server_->WaitForNone());
  }

  static ChannelKind Kind() { return std::get<0>(GetParam()); }
  static RpcType Type() { return std::get<2>(GetParam()); }
  // Whether the client, or the server, may send more than one message.
  static bool ClientStreams() {
    return Type() == RpcType::kClientStream || Type() == RpcType::kBidiStream;
  }
  static bool ServerStreams() {
    return Type() == RpcType::kServerStream || Type() == RpcType::kBidiStream;
  }

  CallResult Call(const EchoRequests& requests) {
    return MakeCall(std::get<1>(GetParam()), Type(), channel_.get(), &context_, requests);
  }
  // A call that the server holds up for longer than any test takes.
  CallResult CallSlowly() {
    EchoRequest request;
    request.mutable_delay()->set_seconds(60);
    return Call({request});
  }

  void ExpectMembersAreKept() const {
    if (!HasMembers(Kind())) return;
    // One that was silent when a deadline passed is asked first.
    EXPECT_TRUE(Eventually([&] { return ReadyMembers(*channel_.pooled()) == 2; }));
    EXPECT_THAT(channel_.pooled()->Stats().closed, testing::Each(0));
  }

  // Started when it is first needed; kinds whose servers are alike share one.
  static ApiServer* ServerOf(ChannelKind kind) {
    auto& server = servers_[IsSecure(kind) ? kind : ChannelKind::kOrdinary];
    if (server == nullptr) server = std::make_unique<ApiServer>(ServerOptionsOf(kind));
    return server.get();
  }

  static std::map<ChannelKind, std::unique_ptr<ApiServer>> servers_;
  ApiServer* const server_;
  const size_t already_seen_;
  const ChannelUnderTest channel_;
  grpc::ClientContext context_;
};

std::map<ChannelKind, std::unique_ptr<ApiServer>> PooledChannelApiTest::servers_;

TEST_P(PooledChannelApiTest, CarriesMessagesBothWays) {
  EchoRequests requests(kMessages);
  for (int i = 0; i < kMessages; ++i) {
    requests[i].set_message(absl::StrCat("message ", i));
    requests[i].set_responses(kMessages);
  }
  const CallResult result = Call(requests);
  ASSERT_TRUE(result.status.ok()) << result.status.error_message();
  ASSERT_EQ(result.responses.size(), ServerStreams() ? kMessages : 1);
  const int received = ClientStreams() ? kMessages : 1;
  EXPECT_EQ(result.responses.back().received(), received);
  EXPECT_EQ(result.responses.back().message(), absl::StrCat("message ", received - 1));
}

TEST_P(PooledChannelApiTest, CarriesMetadataBothWays) {
  const std::string binary("\0\xff\x80 bytes", 9);
  const MetadataMap sent = {{"echo-initial", "one"},
                            {"echo-initial", "two"},
                            {"echo-initial-bin", binary},
                            {"echo-trailing", "three"},
                            {"echo-trailing-bin", binary}};
  for (const auto& [key, value] : sent) context_.AddMetadata(key, value);
  const CallResult result = Call(EchoRequests(1));
  ASSERT_TRUE(result.status.ok()) << result.status.error_message();
  EXPECT_THAT(result.initial,
              testing::IsSupersetOf(MetadataMap{
                  {"echo-initial", "one"}, {"echo-initial", "two"}, {"echo-initial-bin", binary}}));
  EXPECT_THAT(result.trailing, testing::IsSupersetOf(MetadataMap{{"echo-trailing", "three"},
                                                                 {"echo-trailing-bin", binary}}));
  EXPECT_EQ(result.initial.count("echo-trailing"), 0u);
  EXPECT_EQ(result.trailing.count("echo-initial"), 0u);
  ASSERT_EQ(server_->seen().size(), already_seen_ + 1);
  EXPECT_THAT(server_->seen().back().metadata, testing::IsSupersetOf(sent));
  EXPECT_EQ(server_->seen().back().authority, server_->address());
}

TEST_P(PooledChannelApiTest, BringsTheServersStatusAndTrailingMetadata) {
  EchoRequest request;
  request.set_status_code(grpc::StatusCode::FAILED_PRECONDITION);
  request.set_status_message("not now: \xc3\xa4 and 100 %\n");
  context_.AddMetadata("echo-trailing", "even so");
  const CallResult result = Call({request});
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(result.status.error_message(), request.status_message());
  EXPECT_EQ(OnlyValue(result.trailing, "echo-trailing"), "even so");
  EXPECT_TRUE(result.responses.empty());
}

// An unavailable server that says so has answered: its connections stay.
TEST_P(PooledChannelApiTest, BringsTheServersUnavailable) {
  EchoRequest request;
  request.set_status_code(grpc::StatusCode::UNAVAILABLE);
  request.set_status_message("come back later");
  const CallResult result = Call({request});
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(result.status.error_message(), "come back later");
  ExpectMembersAreKept();
}

TEST_P(PooledChannelApiTest, EndsAtItsDeadline) {
  context_.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(20));
  const CallResult result = CallSlowly();
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(result.status.error_message(), "Deadline Exceeded");
  ExpectMembersAreKept();
}

TEST_P(PooledChannelApiTest, EndsWhenItIsCancelledBeforeItStarts) {
  context_.TryCancel();
  EXPECT_EQ(CallSlowly().status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(server_->seen().size(), already_seen_);
}

TEST_P(PooledChannelApiTest, EndsWhenItIsCancelledWhileItRuns) {
  std::thread canceller([this] {
    EXPECT_TRUE(server_->WaitForRpcs(already_seen_ + 1));
    EXPECT_EQ(channel_.leases(), HasMembers(Kind()) ? 1 : 0);
    context_.TryCancel();
  });
  EXPECT_EQ(CallSlowly().status.error_code(), grpc::StatusCode::CANCELLED);
  canceller.join();
}

TEST_P(PooledChannelApiTest, RefusesAResponseThatIsTooLarge) {
  EchoRequest request;
  request.set_response_bytes(kTooLarge);
  const CallResult result = Call({request});
  EXPECT_EQ(result.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(result.status.error_message(), testing::HasSubstr("larger than max"));
  EXPECT_TRUE(result.responses.empty());
}

std::string NameOfCase(const testing::TestParamInfo<PooledChannelApiTest::ParamType>& info) {
  const char* const apis[] = {"Sync", "Async", "Callback", "GenericAsync", "GenericCallback"};
  const char* const types[] = {"Unary", "ClientStream", "ServerStream", "BidiStream"};
  return absl::StrCat(NameOf(std::get<0>(info.param)),
                      apis[static_cast<int>(std::get<1>(info.param))],
                      types[static_cast<int>(std::get<2>(info.param))]);
}

INSTANTIATE_TEST_SUITE_P(All, PooledChannelApiTest,
                         testing::Combine(testing::ValuesIn(kChannelKinds),
                                          testing::ValuesIn(kCallApis),
                                          testing::Values(RpcType::kUnary, RpcType::kClientStream,
                                                          RpcType::kServerStream,
                                                          RpcType::kBidiStream)),
                         NameOfCase);

}  // namespace
}  // namespace predial
