#include "examples/echo/load.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "examples/echo/echo_server_lib.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::vector<CallKind> AllKinds() {
  return {CallKind::kUnary, CallKind::kClientStream, CallKind::kServerStream,
          CallKind::kBidiStream};
}

TEST(LoadTest, CountsEveryRpcOnce) {
  auto server = EchoServer::Start();
  ASSERT_TRUE(server.ok()) << server.status();
  LoadOptions options;
  options.rpcs = 403;
  options.threads = 4;
  options.payload_bytes = 100;
  options.kinds = AllKinds();
  const LoadResult result = RunLoad(
      grpc::CreateChannel((*server)->address(), grpc::InsecureChannelCredentials()), options);
  EXPECT_EQ(result.rpcs, 403);
  EXPECT_TRUE(result.errors.empty()) << result.errors.begin()->second.example;
  EXPECT_EQ(result.latencies.size(), 403u);
  EXPECT_TRUE(std::is_sorted(result.latencies.begin(), result.latencies.end()));
  EXPECT_GT(result.latencies.front(), 0);
  EXPECT_THAT(result.answered_by, ElementsAre(Pair((*server)->port(), 403)));
  EXPECT_EQ((*server)->rpcs(), 403);
}

TEST(LoadTest, CountsErrorsByCode) {
  auto server = EchoServer::Start();
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string address = (*server)->address();
  server->reset();
  LoadOptions options;
  options.rpcs = 8;
  options.threads = 2;
  options.kinds = AllKinds();
  const LoadResult result =
      RunLoad(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()), options);
  EXPECT_EQ(result.rpcs, 8);
  ASSERT_EQ(result.errors.size(), 1u);
  EXPECT_EQ(result.errors.at(grpc::StatusCode::UNAVAILABLE).count, 8);
  EXPECT_THAT(result.errors.at(grpc::StatusCode::UNAVAILABLE).example, HasSubstr("onnect"));
  EXPECT_TRUE(result.answered_by.empty());
}

// Answers nothing of what was asked.
class LiarService final : public echo::v1::Echo::CallbackService {
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context,
                                  const echo::v1::EchoRequest*,
                                  echo::v1::EchoResponse* response) override {
    response->set_message("something else");
    response->set_received(1);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

TEST(LoadTest, AWrongAnswerIsAnError) {
  LiarService service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  LoadOptions options;
  options.rpcs = 3;
  options.threads = 1;
  const LoadResult result = RunLoad(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()),
      options);
  EXPECT_EQ(result.errors.at(grpc::StatusCode::DATA_LOSS).count, 3);
  EXPECT_THAT(result.errors.at(grpc::StatusCode::DATA_LOSS).example, HasSubstr("something else"));
}

TEST(LoadTest, KeepsToTheRate) {
  auto server = EchoServer::Start();
  ASSERT_TRUE(server.ok()) << server.status();
  LoadOptions options;
  options.rpcs = 21;
  options.threads = 2;
  options.rate = 100;
  const LoadResult result = RunLoad(
      grpc::CreateChannel((*server)->address(), grpc::InsecureChannelCredentials()), options);
  EXPECT_TRUE(result.errors.empty());
  EXPECT_GE(result.took, absl::Milliseconds(199));  // the last one starts after 200 ms
}

TEST(LoadOptionsTest, NamesTheFieldThatIsWrong) {
  const auto message = [](void (*breaks)(LoadOptions&)) {
    LoadOptions options;
    EXPECT_TRUE(options.Validate().ok());
    breaks(options);
    return std::string(options.Validate().message());
  };
  EXPECT_EQ(message([](LoadOptions& o) { o.rpcs = 0; }),
            "rpcs is 0; it must be within [1, 10000000]");
  EXPECT_THAT(message([](LoadOptions& o) { o.threads = 1025; }), HasSubstr("threads is 1025"));
  EXPECT_THAT(message([](LoadOptions& o) { o.payload_bytes = -1; }),
              HasSubstr("payload_bytes is -1"));
  EXPECT_THAT(message([](LoadOptions& o) { o.kinds.clear(); }), HasSubstr("kinds is 0"));
  EXPECT_THAT(message([](LoadOptions& o) { o.timeout = absl::ZeroDuration(); }),
              HasSubstr("timeout is 0"));
  EXPECT_THAT(message([](LoadOptions& o) { o.rate = -1; }), HasSubstr("rate is -1"));
}

TEST(ParseCallKindsTest, TakesNamesInAnyOrder) {
  EXPECT_THAT(*ParseCallKinds("bidi,unary"), ElementsAre(CallKind::kBidiStream, CallKind::kUnary));
  EXPECT_THAT(*ParseCallKinds("client_stream,server_stream"),
              ElementsAre(CallKind::kClientStream, CallKind::kServerStream));
  EXPECT_EQ(ParseCallKinds("unary,").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(ParseCallKinds("unary,bidirectional").status().message()),
              HasSubstr("'bidirectional'"));
}

}  // namespace
}  // namespace predial
