#include "plugin/io/rpc_outcome.h"

#include "absl/strings/match.h"

namespace predial {
namespace {

// Messages of UNAVAILABLE (gRPC 1.51): a GOAWAY came; the transport was closed before the RPC
// started, or under it; a read or a write failed, where the system call stands before the cause.
constexpr const char* kGone[] = {"GOAWAY received", "Transport closed", "Socket closed",
                                 "Connection reset by peer", "Broken pipe"};

}  // namespace

RpcOutcome JudgeOutcome(const grpc::Status& status) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return RpcOutcome::kAnswered;
  for (const char* gone : kGone) {
    if (absl::EndsWith(status.error_message(), gone)) return RpcOutcome::kConnectionGone;
  }
  return RpcOutcome::kAnswered;
}

}  // namespace predial
