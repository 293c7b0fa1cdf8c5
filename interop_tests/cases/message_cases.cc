#include "interop_tests/cases/message_cases.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "interop_tests/cases/expect.h"
#include "interop_tests/cases/stream_steps.h"

namespace predial {
namespace {

using grpc::testing::Empty;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;

constexpr int kLargeRequest = 271828;
constexpr int kLargeResponse = 314159;
constexpr int kStreamed = 4;
constexpr int kRequests[kStreamed] = {27182, 8, 1828, 45904};
constexpr int kRequestsSum = 74922;
constexpr int kResponses[kStreamed] = {31415, 9, 2653, 58979};

}  // namespace

absl::Status EmptyUnary(const CaseRun& run) {
  const auto context = run.NewContext();
  Empty response;
  return ExpectOk("EmptyCall", run.client->EmptyCall(context.get(), Empty(), &response));
}

absl::Status CallLargeUnary(TestClient& client, const CaseRun& run) {
  const auto context = run.NewContext();
  SimpleRequest request;
  request.set_response_size(kLargeResponse);
  request.mutable_payload()->mutable_body()->assign(kLargeRequest, '\0');
  SimpleResponse response;
  const absl::Status result =
      ExpectOk("UnaryCall", client.UnaryCall(context.get(), request, &response));
  return result.ok() ? ExpectPayload("UnaryCall", response.payload(), kLargeResponse) : result;
}

absl::Status LargeUnary(const CaseRun& run) { return CallLargeUnary(*run.client, run); }

absl::Status ClientStreaming(const CaseRun& run) {
  const auto context = run.NewContext();
  StreamingInputCallResponse response;
  const auto stream = run.client->StreamingInputCall(context.get(), &response);
  for (const int bytes : kRequests) {
    StreamingInputCallRequest request;
    request.mutable_payload()->mutable_body()->assign(bytes, '\0');
    if (!stream->Write(request, grpc::WriteOptions())) {
      return EndedEarly("StreamingInputCall: writing", stream->Finish());
    }
  }
  stream->WritesDone();
  const absl::Status result = ExpectOk("StreamingInputCall", stream->Finish());
  if (!result.ok() || response.aggregated_payload_size() == kRequestsSum) return result;
  return absl::FailedPreconditionError(absl::StrCat("StreamingInputCall: expected the sum ",
                                                    kRequestsSum, ", got ",
                                                    response.aggregated_payload_size()));
}

absl::Status ServerStreaming(const CaseRun& run) {
  const auto context = run.NewContext();
  StreamingOutputCallRequest request;
  for (const int bytes : kResponses) request.add_response_parameters()->set_size(bytes);
  const auto stream = run.client->StreamingOutputCall(context.get(), request);
  for (int i = 0; i < kStreamed; ++i) {
    const absl::Status result =
        ReadPayload(*stream, ResponseOf("StreamingOutputCall", i), kResponses[i]);
    if (!result.ok()) return result;
  }
  return ReadEnd(*stream, "StreamingOutputCall");
}

absl::Status PingPong(const CaseRun& run) {
  const auto context = run.NewContext();
  const auto stream = run.client->FullDuplexCall(context.get());
  for (int i = 0; i < kStreamed; ++i) {
    absl::Status result = WriteRequest(*stream, absl::StrCat("FullDuplexCall, request ", i),
                                       OutputRequest(kRequests[i], kResponses[i]));
    if (result.ok()) result = ReadPayload(*stream, ResponseOf("FullDuplexCall", i), kResponses[i]);
    if (!result.ok()) return result;
  }
  stream->WritesDone();
  return ReadEnd(*stream, "FullDuplexCall");
}

absl::Status EmptyStream(const CaseRun& run) {
  const auto context = run.NewContext();
  const auto stream = run.client->FullDuplexCall(context.get());
  stream->WritesDone();
  return ReadEnd(*stream, "FullDuplexCall");
}

absl::Status HalfDuplex(const CaseRun& run) {
  const auto context = run.NewContext();
  const auto stream = run.client->HalfDuplexCall(context.get());
  absl::Status result;
  for (int i = 0; i < kStreamed && result.ok(); ++i) {
    result = WriteRequest(*stream, absl::StrCat("HalfDuplexCall, request ", i),
                          OutputRequest(kRequests[i], kResponses[i]));
  }
  if (!result.ok()) return result;
  stream->WritesDone();
  for (int i = 0; i < kStreamed && result.ok(); ++i) {
    result = ReadPayload(*stream, ResponseOf("HalfDuplexCall", i), kResponses[i]);
  }
  return result.ok() ? ReadEnd(*stream, "HalfDuplexCall") : result;
}

}  // namespace predial
