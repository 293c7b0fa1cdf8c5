// What channel arguments and contexts ask of an RPC, over an ordinary channel and a pooled one.
#include <gmock/gmock.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "plugin/api_test_calls.h"
#include "plugin/api_test_channels.h"
#include "plugin/api_test_server.h"
#include "plugin/mutex.h"
#include "plugin/observer.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;
using testing::HasSubstr;
using testing::StartsWith;

class PooledChannelCallTest : public testing::TestWithParam<ChannelKind> {
 protected:
  PooledChannelCallTest() {
    context_.set_deadline(Patiently());
    context_.set_wait_for_ready(true);
  }

  // One unary RPC over a channel with `args`.
  grpc::Status Call(const ApiServer& server, const grpc::ChannelArguments& args = {},
                    const EchoRequest& request = {}) {
    return Call(server.target(), args, request);
  }
  grpc::Status Call(const std::string& target, const grpc::ChannelArguments& args = {},
                    const EchoRequest& request = {}) {
    const ChannelUnderTest channel(GetParam(), target, args);
    result_ = MakeCall(CallApi::kSync, RpcType::kUnary, channel.get(), &context_, {request});
    channel.ExpectAllReturned();
    return result_.status;
  }

  const ApiServer server_{ServerOptionsOf(GetParam())};
  grpc::ClientContext context_;
  CallResult result_;
};

EchoRequest RequestOf(int bytes) {
  EchoRequest request;
  request.set_padding(std::string(bytes, 'x'));
  return request;
}

// --- Compression. A server that refuses an algorithm tells whether it was used.

ApiServerOptions RefusingGzip(ChannelKind kind) {
  ApiServerOptions options = ServerOptionsOf(kind);
  options.refused_compression = {GRPC_COMPRESS_GZIP};
  return options;
}

TEST_P(PooledChannelCallTest, CompressesAsTheContextSays) {
  const ApiServer refusing(RefusingGzip(GetParam()));
  context_.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  const grpc::Status status = Call(refusing, {}, RequestOf(10000));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("gzip"));
}

TEST_P(PooledChannelCallTest, CompressesAsTheArgumentsSay) {
  const ApiServer refusing(RefusingGzip(GetParam()));
  grpc::ChannelArguments args;
  args.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  const grpc::Status status = Call(refusing, args, RequestOf(10000));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("gzip"));
}

TEST_P(PooledChannelCallTest, DoesNotCompressByItself) {
  const ApiServer refusing(RefusingGzip(GetParam()));
  EXPECT_TRUE(Call(refusing, {}, RequestOf(10000)).ok());
}

TEST_P(PooledChannelCallTest, ExchangesCompressedMessages) {
  context_.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  EchoRequest request = RequestOf(10000);
  request.set_message(std::string(20000, 'y'));
  EXPECT_TRUE(Call(server_, {}, request).ok());
  EXPECT_EQ(result_.responses.at(0).message(), request.message());
}

// --- Limits.

TEST_P(PooledChannelCallTest, LimitsReceivedMessages) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(1000);
  EchoRequest request;
  request.set_response_bytes(2000);
  const grpc::Status status = Call(server_, args, request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("1000"));
}

TEST_P(PooledChannelCallTest, LimitsSentMessages) {
  grpc::ChannelArguments args;
  args.SetMaxSendMessageSize(1000);
  const grpc::Status status = Call(server_, args, RequestOf(2000));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("1000"));
}

TEST_P(PooledChannelCallTest, RaisesTheLimitOnReceivedMessages) {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(-1);
  EchoRequest request;
  request.set_response_bytes(5 << 20);
  EXPECT_TRUE(Call(server_, args, request).ok());
  EXPECT_EQ(result_.responses.at(0).padding().size(), 5u << 20);
}

// --- Who is talking to whom.

TEST_P(PooledChannelCallTest, SendsTheUserAgentPrefix) {
  grpc::ChannelArguments args;
  args.SetUserAgentPrefix("orders/1.2");
  EXPECT_TRUE(Call(server_, args).ok());
  const std::string agent = OnlyValue(server_.seen().at(0).metadata, "user-agent");
  EXPECT_THAT(agent, StartsWith(absl::StrCat("orders/1.2 grpc-c++/", grpc::Version())));
}

TEST_P(PooledChannelCallTest, SendsTheUserAgentThatGrpcSends) {
  EXPECT_TRUE(Call(server_).ok());
  const std::string agent = OnlyValue(server_.seen().at(0).metadata, "user-agent");
  EXPECT_THAT(agent, StartsWith(absl::StrCat("grpc-c++/", grpc::Version())));
}

TEST_P(PooledChannelCallTest, SendsTheAuthorityOfAnAddress) {
  EXPECT_TRUE(Call(server_).ok());
  EXPECT_EQ(server_.seen().at(0).authority, server_.address());
}

TEST_P(PooledChannelCallTest, SendsTheAuthorityOfAName) {
  const std::string port = server_.address().substr(server_.address().rfind(':'));
  EXPECT_TRUE(Call(absl::StrCat("dns:///localhost", port)).ok());
  EXPECT_EQ(server_.seen().at(0).authority, absl::StrCat("localhost", port));
}

TEST_P(PooledChannelCallTest, SendsTheAuthorityOfAUnixSocket) {
  ApiServerOptions options = ServerOptionsOf(GetParam());
  options.address = UnusedAddress();
  const ApiServer server(options);
  EXPECT_TRUE(Call(server).ok());
  EXPECT_EQ(server.seen().at(0).authority, "localhost");
}

TEST_P(PooledChannelCallTest, SendsTheAuthorityOfTheArguments) {
  grpc::ChannelArguments args;
  args.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "orders.example");
  EXPECT_TRUE(Call(server_, args).ok());
  EXPECT_EQ(server_.seen().at(0).authority, "orders.example");
}

TEST_P(PooledChannelCallTest, SendsTheAuthorityOfTheContext) {
  grpc::ChannelArguments args;
  args.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "orders.example");
  context_.set_authority("one-rpc.example");
  EXPECT_TRUE(Call(server_, args).ok());
  EXPECT_EQ(server_.seen().at(0).authority, "one-rpc.example");
}

TEST_P(PooledChannelCallTest, KnowsItsPeer) {
  EXPECT_TRUE(Call(server_).ok());
  EXPECT_THAT(server_.seen().at(0).peer, StartsWith("ipv4:127.0.0.1:"));
  // gRPC does not know whom a descriptor is connected to.
  const bool from_fd = GetParam() == ChannelKind::kMembers;
  EXPECT_EQ(context_.peer(), from_fd ? "fd-client" : server_.target());
}

// --- Credentials of a call must not travel over plaintext.

class Token final : public grpc::MetadataCredentialsPlugin {
 public:
  grpc::Status GetMetadata(grpc::string_ref, grpc::string_ref, const grpc::AuthContext&,
                           std::multimap<grpc::string, grpc::string>* metadata) override {
    metadata->emplace("authorization", "Bearer secret");
    return grpc::Status::OK;
  }
};

TEST_P(PooledChannelCallTest, SendsCallCredentialsButNotOverPlaintext) {
  context_.set_credentials(grpc::MetadataCredentialsFromPlugin(std::make_unique<Token>()));
  const ChannelUnderTest channel(GetParam(), server_.target());
  const grpc::Status status =
      MakeCall(CallApi::kSync, RpcType::kUnary, channel.get(), &context_, EchoRequests(1)).status;
  if (IsSecure(GetParam())) {
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(OnlyValue(server_.seen().at(0).metadata, "authorization"), "Bearer secret");
    return;
  }
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << status.error_message();
  EXPECT_EQ(server_.seen().size(), 0u);
}

// --- An RPC made on behalf of another.

// Answers each RPC with one of its own to a channel.
class FrontService final : public echo::v1::Echo::Service {
 public:
  explicit FrontService(const ChannelUnderTest& back)
      : stub_(echo::v1::Echo::NewStub(back.get())) {}
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest* request,
                     echo::v1::EchoResponse* response) override {
    const auto own = grpc::ClientContext::FromServerContext(*context);
    const grpc::Status status = stub_->Unary(own.get(), *request, response);
    MutexLock lock(mutex_);
    codes_.push_back(status.error_code());
    return status;
  }
  std::vector<grpc::StatusCode> codes() {
    MutexLock lock(mutex_);
    return codes_;
  }

 private:
  const std::unique_ptr<echo::v1::Echo::Stub> stub_;
  Mutex mutex_;
  std::vector<grpc::StatusCode> codes_ ABSL_GUARDED_BY(mutex_);
};

class FrontServer {
 public:
  explicit FrontServer(const ChannelUnderTest& back) : service_(back) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = echo::v1::Echo::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  }
  grpc::Status Call(grpc::ClientContext* context, const EchoRequest& request) {
    echo::v1::EchoResponse response;
    return stub_->Unary(context, request, &response);
  }
  // How the RPCs that it made ended; it takes no more.
  std::vector<grpc::StatusCode> Stop() {
    server_->Shutdown();
    return service_.codes();
  }

 private:
  FrontService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<echo::v1::Echo::Stub> stub_;
};

TEST_P(PooledChannelCallTest, TakesOverTheDeadlineOfAServersContext) {
  const ChannelUnderTest channel(GetParam(), server_.target());
  FrontServer front(channel);
  const auto deadline = std::chrono::system_clock::now() + std::chrono::hours(10);
  context_.set_deadline(deadline);
  EXPECT_TRUE(front.Call(&context_, {}).ok());
  // Deadlines travel as what is left of them, rounded.
  const auto seen = server_.seen().at(0).deadline;
  EXPECT_GT(seen, deadline - std::chrono::hours(1));
  EXPECT_LT(seen, deadline + std::chrono::hours(1));
  EXPECT_THAT(front.Stop(), testing::ElementsAre(grpc::StatusCode::OK));
  channel.ExpectAllReturned();
}

TEST_P(PooledChannelCallTest, IsCancelledWithTheServersContext) {
  const ChannelUnderTest channel(GetParam(), server_.target());
  FrontServer front(channel);
  EchoRequest slow;
  slow.mutable_delay()->set_seconds(60);
  std::thread canceller([this] {
    EXPECT_TRUE(server_.WaitForRpcs(1));
    context_.TryCancel();
  });
  EXPECT_EQ(front.Call(&context_, slow).error_code(), grpc::StatusCode::CANCELLED);
  canceller.join();
  EXPECT_TRUE(server_.WaitForNone());
  EXPECT_THAT(front.Stop(), testing::ElementsAre(grpc::StatusCode::CANCELLED));
  channel.ExpectAllReturned();
}

INSTANTIATE_TEST_SUITE_P(All, PooledChannelCallTest, testing::ValuesIn(kChannelKinds),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace predial
