// Steps that the streaming cases are made of. Each returns OK, or a status that says what was
// expected and what came; if that was the RPC's end, with the RPC's status.
#pragma once

#include <grpcpp/support/status.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "interop_tests/cases/expect.h"
#include "interop_tests/cases/test_client.h"

namespace predial {

// "FullDuplexCall, response 3".
inline std::string ResponseOf(const char* rpc, int index) {
  return absl::StrCat(rpc, ", response ", index);
}

// How a stream that was expected to go on has ended.
inline absl::Status EndedEarly(const std::string& what, const grpc::Status& status) {
  return absl::FailedPreconditionError(
      absl::StrCat(what, ": not possible, the RPC had ended with ", ToText(status)));
}

// The next message, `bytes` zeros.
template <typename Stream>
absl::Status ReadPayload(Stream& stream, const std::string& what, int bytes) {
  grpc::testing::StreamingOutputCallResponse response;
  if (!stream.Read(&response)) return EndedEarly(what, stream.Finish());
  return ExpectPayload(what, response.payload(), bytes);
}

// There are no more messages.
template <typename Stream>
absl::Status ReadNoMore(Stream& stream, const char* rpc) {
  grpc::testing::StreamingOutputCallResponse response;
  if (!stream.Read(&response)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(rpc,
                                                    ": expected no more responses, got one of ",
                                                    response.payload().body().size(), " bytes"));
}

// Nor has the RPC failed.
template <typename Stream>
absl::Status ReadEnd(Stream& stream, const char* rpc) {
  const absl::Status no_more = ReadNoMore(stream, rpc);
  return no_more.ok() ? ExpectOk(rpc, stream.Finish()) : no_more;
}

// A request for one response of `response_bytes`, with `bytes` of its own.
inline grpc::testing::StreamingOutputCallRequest OutputRequest(int bytes, int response_bytes) {
  grpc::testing::StreamingOutputCallRequest request;
  request.add_response_parameters()->set_size(response_bytes);
  request.mutable_payload()->mutable_body()->assign(bytes, '\0');
  return request;
}

inline absl::Status WriteRequest(DuplexStream& stream, const std::string& what,
                                 const grpc::testing::StreamingOutputCallRequest& request) {
  if (stream.Write(request)) return absl::OkStatus();
  // What was sent before the end has to be read for the status to come.
  constexpr int kUnreadMax = 1000;
  grpc::testing::StreamingOutputCallResponse response;
  for (int i = 0; i < kUnreadMax && stream.Read(&response); ++i) {
  }
  return EndedEarly(what, stream.Finish());
}

}  // namespace predial
