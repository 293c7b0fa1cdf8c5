#include "interop_tests/cases/ending_cases.h"

#include <chrono>
#include <string>

#include "interop_tests/cases/expect.h"
#include "interop_tests/cases/stream_steps.h"

namespace predial {
namespace {

using grpc::testing::Empty;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;

constexpr int kRequest = 27182;
constexpr int kResponse = 31415;
constexpr int kLargeRequest = 271828;
constexpr int kLargeResponse = 314159;
constexpr int kTriesOfTimeout = 5;

constexpr char kEchoInitial[] = "x-grpc-test-echo-initial";
constexpr char kInitialValue[] = "test_initial_metadata_value";
constexpr char kEchoTrailing[] = "x-grpc-test-echo-trailing-bin";
constexpr char kTrailingValue[] = "\xab\xab\xab";

absl::Status ExpectCancelled(const char* rpc, const grpc::Status& status) {
  return ExpectCode(rpc, status, grpc::StatusCode::CANCELLED);
}

absl::Status CallWithStatus(const CaseRun& run, const grpc::Status& wanted) {
  const auto context = run.NewContext();
  SimpleRequest request;
  request.mutable_response_status()->set_code(wanted.error_code());
  request.mutable_response_status()->set_message(wanted.error_message());
  SimpleResponse response;
  return ExpectStatus("UnaryCall", run.client->UnaryCall(context.get(), request, &response),
                      wanted);
}

// The server has the client's deadline. If it makes a proxy reset the stream in the millisecond in
// which the client's comes, the status is CANCELLED: gRPC's transport, which is the same under both
// kinds of channel, tells HTTP/2's CANCEL from a deadline by the clock. Through HAProxy on a busy
// machine that is one RPC of some hundreds.
bool WasResetAtItsDeadline(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::CANCELLED &&
         status.error_message() == "Received RST_STREAM with error code 8";
}

std::unique_ptr<grpc::ClientContext> ContextWithMetadata(const CaseRun& run) {
  auto context = run.NewContext();
  context->AddMetadata(kEchoInitial, kInitialValue);
  context->AddMetadata(kEchoTrailing, kTrailingValue);
  return context;
}

absl::Status ExpectEchoed(const char* rpc, const grpc::ClientContext& context) {
  const absl::Status initial = ExpectInitialMetadata(rpc, context, kEchoInitial, kInitialValue);
  return initial.ok() ? ExpectTrailingMetadata(rpc, context, kEchoTrailing, kTrailingValue)
                      : initial;
}

}  // namespace

absl::Status CancelAfterBegin(const CaseRun& run) {
  const auto context = run.NewContext();
  StreamingInputCallResponse response;
  const auto stream = run.client->StreamingInputCall(context.get(), &response);
  context->TryCancel();
  return ExpectCancelled("StreamingInputCall", stream->Finish());
}

absl::Status CancelAfterFirstResponse(const CaseRun& run) {
  const auto context = run.NewContext();
  const auto stream = run.client->FullDuplexCall(context.get());
  absl::Status result =
      WriteRequest(*stream, "FullDuplexCall, request 0", OutputRequest(kRequest, kResponse));
  if (result.ok()) result = ReadPayload(*stream, ResponseOf("FullDuplexCall", 0), kResponse);
  if (!result.ok()) return result;
  context->TryCancel();
  result = ReadNoMore(*stream, "FullDuplexCall");
  return result.ok() ? ExpectCancelled("FullDuplexCall", stream->Finish()) : result;
}

absl::Status TimeoutOnSleepingServer(const CaseRun& run) {
  grpc::Status status;
  for (int i = 0; i < kTriesOfTimeout; ++i) {
    const auto context = run.NewContext();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
    const auto stream = run.client->FullDuplexCall(context.get());
    StreamingOutputCallRequest request;
    request.mutable_payload()->mutable_body()->assign(kRequest, '\0');
    stream->Write(request);  // the deadline may come first
    status = stream->Finish();
    if (!WasResetAtItsDeadline(status)) break;
  }
  return ExpectCode("FullDuplexCall with a deadline of 1 ms", status,
                    grpc::StatusCode::DEADLINE_EXCEEDED);
}

absl::Status StatusCodeAndMessage(const CaseRun& run) {
  const grpc::Status wanted(grpc::StatusCode::UNKNOWN, "test status message");
  const absl::Status unary = CallWithStatus(run, wanted);
  if (!unary.ok()) return unary;

  const auto context = run.NewContext();
  const auto stream = run.client->FullDuplexCall(context.get());
  StreamingOutputCallRequest request;
  request.mutable_response_status()->set_code(wanted.error_code());
  request.mutable_response_status()->set_message(wanted.error_message());
  stream->Write(request);  // these may not be possible any more: the status is what counts
  stream->WritesDone();
  const absl::Status no_more = ReadNoMore(*stream, "FullDuplexCall");
  return no_more.ok() ? ExpectStatus("FullDuplexCall", stream->Finish(), wanted) : no_more;
}

absl::Status SpecialStatusMessage(const CaseRun& run) {
  // In UTF-8: U+263A of the basic plane, U+1F608 beyond it.
  return CallWithStatus(
      run, grpc::Status(grpc::StatusCode::UNKNOWN,
                        "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
                        "\xf0\x9f\x98\x88\t\n"));
}

absl::Status CustomMetadata(const CaseRun& run) {
  {
    const auto context = ContextWithMetadata(run);
    SimpleRequest request;
    request.set_response_size(kLargeResponse);
    request.mutable_payload()->mutable_body()->assign(kLargeRequest, '\0');
    SimpleResponse response;
    absl::Status result =
        ExpectOk("UnaryCall", run.client->UnaryCall(context.get(), request, &response));
    if (result.ok()) result = ExpectPayload("UnaryCall", response.payload(), kLargeResponse);
    if (result.ok()) result = ExpectEchoed("UnaryCall", *context);
    if (!result.ok()) return result;
  }
  const auto context = ContextWithMetadata(run);
  const auto stream = run.client->FullDuplexCall(context.get());
  absl::Status result = WriteRequest(*stream, "FullDuplexCall, request 0",
                                     OutputRequest(kLargeRequest, kLargeResponse));
  if (!result.ok()) return result;
  stream->WritesDone();
  result = ReadPayload(*stream, ResponseOf("FullDuplexCall", 0), kLargeResponse);
  if (result.ok()) result = ReadEnd(*stream, "FullDuplexCall");
  return result.ok() ? ExpectEchoed("FullDuplexCall", *context) : result;
}

absl::Status UnimplementedMethod(const CaseRun& run) {
  const auto context = run.NewContext();
  Empty response;
  return ExpectCode("TestService.UnimplementedCall",
                    run.client->UnimplementedCall(context.get(), Empty(), &response),
                    grpc::StatusCode::UNIMPLEMENTED);
}

absl::Status UnimplementedServiceCase(const CaseRun& run) {
  const auto context = run.NewContext();
  Empty response;
  return ExpectCode("UnimplementedService.UnimplementedCall",
                    run.client->UnimplementedServiceCall(context.get(), Empty(), &response),
                    grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace predial
