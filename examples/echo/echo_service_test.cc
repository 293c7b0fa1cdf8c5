#include "examples/echo/echo_service.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "examples/echo/echo_server_lib.h"
#include "gmock/gmock.h"
#include "grpcpp/channel.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;
using ::testing::HasSubstr;

struct Outcome {
  grpc::Status status;
  std::vector<EchoResponse> responses;
};

// One RPC with `requests`, to its end. For a stream: all requests, then all responses.
using Call = std::function<Outcome(Echo::Stub&, const std::vector<EchoRequest>&, absl::Duration)>;

struct Kind {
  std::string name;
  Call call;
};

void SetDeadline(grpc::ClientContext& context, absl::Duration timeout) {
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
}

Outcome CallUnary(Echo::Stub& stub, const std::vector<EchoRequest>& requests,
                  absl::Duration timeout) {
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  EchoResponse response;
  const grpc::Status status = stub.Unary(&context, requests.at(0), &response);
  if (!status.ok()) return {status, {}};
  return {status, {response}};
}

Outcome CallClientStream(Echo::Stub& stub, const std::vector<EchoRequest>& requests,
                         absl::Duration timeout) {
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  EchoResponse response;
  auto stream = stub.ClientStream(&context, &response);
  for (const EchoRequest& request : requests) {
    if (!stream->Write(request)) break;
  }
  stream->WritesDone();
  const grpc::Status status = stream->Finish();
  if (!status.ok()) return {status, {}};
  return {status, {response}};
}

Outcome CallServerStream(Echo::Stub& stub, const std::vector<EchoRequest>& requests,
                         absl::Duration timeout) {
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  auto stream = stub.ServerStream(&context, requests.at(0));
  Outcome outcome;
  EchoResponse response;
  while (stream->Read(&response)) outcome.responses.push_back(response);
  outcome.status = stream->Finish();
  return outcome;
}

Outcome CallBidiStream(Echo::Stub& stub, const std::vector<EchoRequest>& requests,
                       absl::Duration timeout) {
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  auto stream = stub.BidiStream(&context);
  for (const EchoRequest& request : requests) {
    if (!stream->Write(request)) break;
  }
  stream->WritesDone();
  Outcome outcome;
  EchoResponse response;
  while (stream->Read(&response)) outcome.responses.push_back(response);
  outcome.status = stream->Finish();
  return outcome;
}

// More than any RPC here takes, unless it is meant to fail.
constexpr absl::Duration kLong = absl::Seconds(30);

class EchoServiceTest : public ::testing::TestWithParam<Kind> {
 protected:
  EchoServiceTest() {
    auto server = EchoServer::Start();
    if (!server.ok()) {
      ADD_FAILURE() << server.status();
      return;
    }
    server_ = *std::move(server);
    stub_ =
        Echo::NewStub(grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }

  Outcome Send(const EchoRequest& request, absl::Duration timeout = kLong) {
    return GetParam().call(*stub_, {request}, timeout);
  }

  std::unique_ptr<EchoServer> server_;
  std::unique_ptr<Echo::Stub> stub_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, EchoServiceTest,
                         ::testing::Values(Kind{"Unary", CallUnary},
                                           Kind{"ClientStream", CallClientStream},
                                           Kind{"ServerStream", CallServerStream},
                                           Kind{"BidiStream", CallBidiStream}),
                         [](const auto& info) { return info.param.name; });

TEST_P(EchoServiceTest, EchoesTheMessageWithPaddingAndPort) {
  EchoRequest request;
  request.set_message("hello");
  request.set_response_bytes(1000);
  request.set_padding(std::string(2000, 'x'));
  const Outcome outcome = Send(request);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  ASSERT_EQ(outcome.responses.size(), 1u);
  EXPECT_EQ(outcome.responses[0].message(), "hello");
  EXPECT_EQ(outcome.responses[0].padding().size(), 1000u);
  EXPECT_EQ(outcome.responses[0].received(), 1);
  EXPECT_EQ(outcome.responses[0].server_port(), server_->port());
  EXPECT_GT(server_->port(), 0);
  EXPECT_EQ(server_->rpcs(), 1);
}

TEST_P(EchoServiceTest, EndsWithTheStatusAskedFor) {
  EchoRequest request;
  request.set_status_code(grpc::StatusCode::FAILED_PRECONDITION);
  request.set_status_message("as you wish");
  const Outcome outcome = Send(request);
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(outcome.status.error_message(), "as you wish");
  EXPECT_TRUE(outcome.responses.empty());
}

TEST_P(EchoServiceTest, AnswersAfterTheDelay) {
  EchoRequest request;
  request.mutable_delay()->set_nanos(50'000'000);
  const auto begin = std::chrono::steady_clock::now();
  const Outcome outcome = Send(request);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.responses.size(), 1u);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(49));
}

TEST_P(EchoServiceTest, DelaysTheStatusToo) {
  EchoRequest request;
  request.mutable_delay()->set_nanos(50'000'000);
  request.set_status_code(grpc::StatusCode::ABORTED);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Send(request).status.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(49));
}

TEST_P(EchoServiceTest, CancellationEndsTheDelay) {
  EchoRequest request;
  request.mutable_delay()->set_seconds(60);
  EXPECT_EQ(Send(request, absl::Milliseconds(200)).status.error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  // The server ends when its RPCs have: without the cancellation that takes the rest of a minute.
  const auto begin = std::chrono::steady_clock::now();
  server_->Shutdown(absl::Minutes(10));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

TEST_P(EchoServiceTest, TakesTheBounds) {
  EchoRequest request;
  request.set_response_bytes(64 << 20);
  request.set_responses(1'000'000);
  request.set_status_code(16);
  EXPECT_EQ(Send(request).status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_P(EchoServiceTest, NamesTheBoundThatIsBroken) {
  struct Case {
    std::function<void(EchoRequest&)> breaks;
    std::string message;
  };
  const std::vector<Case> cases = {
      {[](EchoRequest& r) { r.mutable_delay()->set_seconds(61); },
       "delay is 1m1s, which is not within [0, 1m]"},
      {[](EchoRequest& r) { r.mutable_delay()->set_seconds(-1); },
       "delay is -1s, which is not within [0, 1m]"},
      {[](EchoRequest& r) {
         r.mutable_delay()->set_seconds(1);
         r.mutable_delay()->set_nanos(-1);
       },
       "delay.nanos is -1, which is not within [0, 999999999]"},
      {[](EchoRequest& r) { r.set_response_bytes((64 << 20) + 1); },
       "response_bytes is 67108865, which is not within [0, 67108864]"},
      {[](EchoRequest& r) { r.set_response_bytes(-1); },
       "response_bytes is -1, which is not within [0, 67108864]"},
      {[](EchoRequest& r) { r.set_status_code(17); },
       "status_code is 17, which is not within [0, 16]"},
      {[](EchoRequest& r) { r.set_status_code(-1); },
       "status_code is -1, which is not within [0, 16]"},
      {[](EchoRequest& r) { r.set_responses(1'000'001); },
       "responses is 1000001, which is not within [0, 1000000]"},
      {[](EchoRequest& r) { r.set_responses(-1); },
       "responses is -1, which is not within [0, 1000000]"},
  };
  for (const Case& c : cases) {
    EchoRequest request;
    c.breaks(request);
    const Outcome outcome = Send(request);
    EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << c.message;
    EXPECT_EQ(outcome.status.error_message(), c.message);
    EXPECT_TRUE(outcome.responses.empty());
  }
}

class EchoStreamsTest : public EchoServiceTest {};
INSTANTIATE_TEST_SUITE_P(None, EchoStreamsTest, ::testing::Values(Kind{}),
                         [](const auto&) { return "Streams"; });

EchoRequest Message(std::string text) {
  EchoRequest request;
  request.set_message(std::move(text));
  return request;
}

TEST_P(EchoStreamsTest, ClientStreamAnswersTheLastWithTheCount) {
  const Outcome outcome =
      CallClientStream(*stub_, {Message("a"), Message("b"), Message("c")}, kLong);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.responses.at(0).message(), "c");
  EXPECT_EQ(outcome.responses.at(0).received(), 3);
}

TEST_P(EchoStreamsTest, EmptyClientStreamIsAnswered) {
  const Outcome outcome = CallClientStream(*stub_, {}, kLong);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.responses.at(0).message(), "");
  EXPECT_EQ(outcome.responses.at(0).received(), 0);
  EXPECT_EQ(outcome.responses.at(0).server_port(), server_->port());
}

TEST_P(EchoStreamsTest, ClientStreamEndsAtTheFirstStatusWithoutWaitingForMore) {
  grpc::ClientContext context;
  SetDeadline(context, kLong);
  EchoResponse response;
  auto stream = stub_->ClientStream(&context, &response);
  EchoRequest request;
  request.set_status_code(grpc::StatusCode::DATA_LOSS);
  ASSERT_TRUE(stream->Write(request));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DATA_LOSS);
}

TEST_P(EchoStreamsTest, ServerStreamSendsAsManyAsAskedFor) {
  EchoRequest request = Message("again");
  request.set_responses(100);
  const Outcome outcome = CallServerStream(*stub_, {request}, kLong);
  ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.responses.size(), 100u);
  for (const EchoResponse& response : outcome.responses) {
    EXPECT_EQ(response.message(), "again");
    EXPECT_EQ(response.received(), 1);
  }
}

TEST_P(EchoStreamsTest, ServerStreamDelaysEachResponse) {
  EchoRequest request;
  request.set_responses(4);
  request.mutable_delay()->set_nanos(20'000'000);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(CallServerStream(*stub_, {request}, kLong).responses.size(), 4u);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(76));
}

TEST_P(EchoStreamsTest, BidiStreamAnswersEachAsItComes) {
  grpc::ClientContext context;
  SetDeadline(context, kLong);
  auto stream = stub_->BidiStream(&context);
  for (int i = 1; i <= 5; ++i) {
    ASSERT_TRUE(stream->Write(Message(absl::StrCat(i))));
    EchoResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.message(), absl::StrCat(i));
    EXPECT_EQ(response.received(), i);
  }
  stream->WritesDone();
  EchoResponse none;
  EXPECT_FALSE(stream->Read(&none));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_P(EchoStreamsTest, BidiStreamEndsAtTheFirstRequestThatIsBad) {
  EchoRequest bad;
  bad.set_responses(-1);
  const Outcome outcome = CallBidiStream(*stub_, {Message("good"), bad, Message("never")}, kLong);
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(outcome.status.error_message(), HasSubstr("responses is -1"));
  ASSERT_EQ(outcome.responses.size(), 1u);
  EXPECT_EQ(outcome.responses[0].message(), "good");
}

}  // namespace
}  // namespace predial
