#include "interop_tests/peers/test_service.h"

#include <grpc/compression.h>
#include <grpcpp/completion_queue.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "interop_tests/peers/compressed_flag.h"

namespace predial {
namespace {

using grpc::testing::BoolValue;
using grpc::testing::EchoStatus;
using grpc::testing::Empty;
using grpc::testing::Payload;
using grpc::testing::ResponseParameters;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;

constexpr int kPayloadBytesMax = 64 << 20;
constexpr int kIntervalMicrosMax = 60'000'000;
constexpr int kResponsesMax = 100'000;  // that a half-duplex call may ask for
constexpr char kEchoInitial[] = "x-grpc-test-echo-initial";
constexpr char kEchoTrailing[] = "x-grpc-test-echo-trailing-bin";

grpc::Status InvalidArgument(const std::string& message) {
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, message);
}

grpc::Status CheckRange(const char* field, int value, int max) {
  if (value >= 0 && value <= max) return grpc::Status::OK;
  return InvalidArgument(
      absl::StrCat(field, " is ", value, ", which is not within [0, ", max, "]"));
}

grpc::Status CheckCompression(grpc::ServerContext* context, bool has_expectation,
                              const BoolValue& expected) {
  if (!has_expectation || CameCompressed(*context) == expected.value()) return grpc::Status::OK;
  return InvalidArgument(expected.value() ? "the message should have been compressed"
                                          : "the message should not have been compressed");
}

grpc::Status ToStatus(const EchoStatus& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), status.message());
}

bool AsksForCompression(const StreamingOutputCallRequest& request) {
  return std::any_of(request.response_parameters().begin(), request.response_parameters().end(),
                     [](const ResponseParameters& p) { return p.compressed().value(); });
}

// False if the RPC is cancelled first. Blocks: an RPC has its thread.
bool Wait(const grpc::ServerContext& context, std::chrono::microseconds interval) {
  if (interval.count() == 0) return true;
  constexpr std::chrono::milliseconds kStep{10};
  const auto end = std::chrono::system_clock::now() + interval;
  grpc::CompletionQueue nothing;  // nothing ever comes out of it
  auto now = std::chrono::system_clock::now();
  while (now < end && !context.IsCancelled()) {
    void* tag;
    bool ok;
    nothing.AsyncNext(&tag, &ok, std::min(end, now + kStep));
    now = std::chrono::system_clock::now();
  }
  nothing.Shutdown();
  return !context.IsCancelled();
}

}  // namespace

void TestService::EchoMetadata(grpc::ServerContext* context) const {
  const auto echo = [&](const char* key, auto add) {
    const auto range = context->client_metadata().equal_range(key);
    for (auto entry = range.first; entry != range.second; ++entry) {
      add(std::string(entry->second.data(), entry->second.size()));
    }
  };
  if (!faults_.no_initial_metadata) {
    echo(kEchoInitial, [&](const std::string& v) { context->AddInitialMetadata(kEchoInitial, v); });
  }
  if (!faults_.no_trailing_metadata) {
    echo(kEchoTrailing,
         [&](const std::string& v) { context->AddTrailingMetadata(kEchoTrailing, v); });
  }
}

void TestService::Fill(Payload* payload, int size) const {
  payload->set_type(grpc::testing::COMPRESSABLE);
  payload->mutable_body()->assign(size, '\0');
  if (faults_.payload) faults_.payload(*payload);
}

grpc::Status TestService::EmptyCall(grpc::ServerContext* context, const Empty*, Empty*) {
  EchoMetadata(context);
  return faults_.empty_call;
}

grpc::Status TestService::UnaryCall(grpc::ServerContext* context, const SimpleRequest* received,
                                    SimpleResponse* response) {
  EchoMetadata(context);
  SimpleRequest request = *received;
  if (faults_.unary) faults_.unary(request);
  grpc::Status status =
      CheckCompression(context, request.has_expect_compressed(), request.expect_compressed());
  if (status.ok()) status = CheckRange("response_size", request.response_size(), kPayloadBytesMax);
  if (!status.ok()) return status;
  if (request.has_response_compressed()) {
    context->set_compression_algorithm(request.response_compressed().value() ? GRPC_COMPRESS_GZIP
                                                                             : GRPC_COMPRESS_NONE);
  }
  if (request.response_status().code() != 0) return ToStatus(request.response_status());
  Fill(response->mutable_payload(), request.response_size());
  return grpc::Status::OK;
}

template <typename Writer>
grpc::Status TestService::Respond(grpc::ServerContext* context,
                                  const StreamingOutputCallRequest& request, Writer& writer) {
  if (request.response_status().code() != 0) return ToStatus(request.response_status());
  for (const ResponseParameters& wanted : request.response_parameters()) {
    grpc::Status status = CheckRange("size", wanted.size(), kPayloadBytesMax);
    if (status.ok()) status = CheckRange("interval_us", wanted.interval_us(), kIntervalMicrosMax);
    if (!status.ok()) return status;
    if (!Wait(*context, std::chrono::microseconds(wanted.interval_us()))) {
      return grpc::Status::CANCELLED;
    }
    StreamingOutputCallResponse response;
    Fill(response.mutable_payload(), wanted.size());
    grpc::WriteOptions options;
    if (!wanted.compressed().value()) options.set_no_compression();
    if (!writer.Write(response, options)) return grpc::Status::CANCELLED;
    ++responses_written_;
  }
  return grpc::Status::OK;
}

grpc::Status TestService::StreamingOutputCall(
    grpc::ServerContext* context, const StreamingOutputCallRequest* received,
    grpc::ServerWriter<StreamingOutputCallResponse>* writer) {
  EchoMetadata(context);
  StreamingOutputCallRequest request = *received;
  if (faults_.output) faults_.output(request);
  if (AsksForCompression(request)) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  return Respond(context, request, *writer);
}

grpc::Status TestService::StreamingInputCall(grpc::ServerContext* context,
                                             grpc::ServerReader<StreamingInputCallRequest>* reader,
                                             StreamingInputCallResponse* response) {
  EchoMetadata(context);
  StreamingInputCallRequest request;
  int bytes = 0;
  while (reader->Read(&request)) {
    if (faults_.input) faults_.input(request);
    const grpc::Status status =
        CheckCompression(context, request.has_expect_compressed(), request.expect_compressed());
    if (!status.ok()) return status;
    bytes += static_cast<int>(request.payload().body().size());
  }
  response->set_aggregated_payload_size(bytes);
  return grpc::Status::OK;
}

grpc::Status TestService::FullDuplexCall(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>* stream) {
  EchoMetadata(context);
  StreamingOutputCallRequest request;
  bool first = true;
  while (stream->Read(&request)) {
    if (faults_.output) faults_.output(request);
    // Only before the first response is it still possible to choose.
    if (std::exchange(first, false) && AsksForCompression(request)) {
      context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    }
    const grpc::Status status = Respond(context, request, *stream);
    if (!status.ok()) return status;
  }
  return Respond(context, faults_.at_end, *stream);
}

grpc::Status TestService::HalfDuplexCall(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>* stream) {
  EchoMetadata(context);
  StreamingOutputCallRequest all;
  StreamingOutputCallRequest request;
  while (stream->Read(&request)) {
    if (faults_.output) faults_.output(request);
    if (request.response_status().code() != 0) return ToStatus(request.response_status());
    all.mutable_response_parameters()->MergeFrom(request.response_parameters());
    const grpc::Status status =
        CheckRange("the number of responses", all.response_parameters_size(), kResponsesMax);
    if (!status.ok()) return status;
  }
  if (AsksForCompression(all)) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  all.MergeFrom(faults_.at_end);
  return Respond(context, all, *stream);
}

grpc::Status TestService::UnimplementedCall(grpc::ServerContext*, const Empty*, Empty*) {
  return faults_.unimplemented_call;
}

}  // namespace predial
