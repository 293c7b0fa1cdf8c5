#include "interop_tests/cases/compression_cases.h"

#include <grpc/compression.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "interop_tests/cases/expect.h"
#include "interop_tests/cases/stream_steps.h"

namespace predial {
namespace {

using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;

constexpr int kRequest = 271828;
constexpr int kResponse = 314159;
constexpr int kStreamedRequests[] = {27182, 45904};
constexpr int kStreamedRequestsSum = 73086;
constexpr int kStreamedResponses[] = {31415, 92653};

// As the cases name a compressed message and one that is not.
const char* Name(bool compressed) { return compressed ? "compressed" : "uncompressed"; }

SimpleRequest LargeRequest() {
  SimpleRequest request;
  request.set_response_size(kResponse);
  request.mutable_payload()->mutable_body()->assign(kRequest, '\0');
  return request;
}

absl::Status CallCompressed(const CaseRun& run, bool compressed) {
  const auto context = run.NewContext();
  SimpleRequest request = LargeRequest();
  request.mutable_expect_compressed()->set_value(compressed);
  if (compressed) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  SimpleResponse response;
  const std::string what = absl::StrCat("UnaryCall, ", Name(compressed), " request");
  const absl::Status result =
      ExpectOk(what, run.client->UnaryCall(context.get(), request, &response));
  return result.ok() ? ExpectPayload(what, response.payload(), kResponse) : result;
}

StreamingInputCallRequest InputRequest(int bytes, bool expect_compressed) {
  StreamingInputCallRequest request;
  request.mutable_expect_compressed()->set_value(expect_compressed);
  request.mutable_payload()->mutable_body()->assign(bytes, '\0');
  return request;
}

absl::Status ProbeStreaming(const CaseRun& run) {
  const auto context = run.NewContext();
  StreamingInputCallResponse response;
  const auto stream = run.client->StreamingInputCall(context.get(), &response);
  // The server may have ended the RPC before one of these is done.
  stream->Write(InputRequest(kStreamedRequests[0], true), grpc::WriteOptions());
  stream->WritesDone();
  return ExpectCode("StreamingInputCall, uncompressed request that says it is compressed",
                    stream->Finish(), grpc::StatusCode::INVALID_ARGUMENT);
}

absl::Status CallServerCompressed(const CaseRun& run, bool compressed) {
  const auto context = run.NewContext();
  SimpleRequest request = LargeRequest();
  request.mutable_response_compressed()->set_value(compressed);
  SimpleResponse response;
  const std::string what = absl::StrCat("UnaryCall, ", Name(compressed), " response");
  absl::Status result = ExpectOk(what, run.client->UnaryCall(context.get(), request, &response));
  if (result.ok()) result = ExpectPayload(what, response.payload(), kResponse);
  return result.ok() ? ExpectCompressed(what, *context, compressed) : result;
}

}  // namespace

absl::Status ClientCompressedUnary(const CaseRun& run) {
  {
    const auto context = run.NewContext();
    SimpleRequest probe = LargeRequest();
    probe.mutable_expect_compressed()->set_value(true);
    SimpleResponse response;
    const absl::Status result = ExpectCode(
        "UnaryCall, uncompressed request that says it is compressed",
        run.client->UnaryCall(context.get(), probe, &response), grpc::StatusCode::INVALID_ARGUMENT);
    if (!result.ok()) return result;
  }
  const absl::Status result = CallCompressed(run, true);
  return result.ok() ? CallCompressed(run, false) : result;
}

absl::Status ClientCompressedStreaming(const CaseRun& run) {
  absl::Status result = ProbeStreaming(run);
  if (!result.ok()) return result;

  const auto context = run.NewContext();
  context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  StreamingInputCallResponse response;
  const auto stream = run.client->StreamingInputCall(context.get(), &response);
  const bool written =
      stream->Write(InputRequest(kStreamedRequests[0], true), grpc::WriteOptions()) &&
      stream->Write(InputRequest(kStreamedRequests[1], false),
                    grpc::WriteOptions().set_no_compression());
  if (!written) return EndedEarly("StreamingInputCall: writing", stream->Finish());
  stream->WritesDone();
  result =
      ExpectOk("StreamingInputCall, a compressed and an uncompressed request", stream->Finish());
  if (!result.ok() || response.aggregated_payload_size() == kStreamedRequestsSum) return result;
  return absl::FailedPreconditionError(absl::StrCat("StreamingInputCall: expected the sum ",
                                                    kStreamedRequestsSum, ", got ",
                                                    response.aggregated_payload_size()));
}

absl::Status ServerCompressedUnary(const CaseRun& run) {
  const absl::Status result = CallServerCompressed(run, true);
  return result.ok() ? CallServerCompressed(run, false) : result;
}

absl::Status ServerCompressedStreaming(const CaseRun& run) {
  const auto context = run.NewContext();
  StreamingOutputCallRequest request;
  for (const int bytes : kStreamedResponses) {
    auto* const parameters = request.add_response_parameters();
    parameters->set_size(bytes);
    parameters->mutable_compressed()->set_value(bytes == kStreamedResponses[0]);
  }
  const auto stream = run.client->StreamingOutputCall(context.get(), request);
  for (int i = 0; i < request.response_parameters_size(); ++i) {
    const std::string what = ResponseOf("StreamingOutputCall", i);
    const auto& wanted = request.response_parameters(i);
    absl::Status result = ReadPayload(*stream, what, wanted.size());
    if (result.ok()) result = ExpectCompressed(what, *context, wanted.compressed().value());
    if (!result.ok()) return result;
  }
  return ReadEnd(*stream, "StreamingOutputCall");
}

}  // namespace predial
