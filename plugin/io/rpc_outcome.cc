#include "plugin/io/rpc_outcome.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace predial {
namespace {

// The messages of gRPC 1.51, in full: a server that tells of a connection of its own says more.
//
// A GOAWAY came; the transport was closed before the RPC started, or under it; its peer answered no
// ping; it never was one; a write failed.
constexpr absl::string_view kGone[] = {
    "GOAWAY received",
    "Transport closed",
    "Socket closed",
    "keepalive watchdog timeout",
    "Trying to connect an http1.x server",
    "Broken pipe",
    "Connection reset by peer",
    "Connection timed out",
};
// A read or a write failed: the cause follows.
constexpr absl::string_view kFailed[] = {"recvmsg:", "sendmsg:"};

}  // namespace

RpcOutcome JudgeOutcome(const grpc::Status& status) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE &&
      status.error_code() != grpc::StatusCode::INTERNAL) {
    return RpcOutcome::kAnswered;
  }
  const std::string& message = status.error_message();
  for (const absl::string_view gone : kGone) {
    if (message == gone) return RpcOutcome::kConnectionGone;
  }
  for (const absl::string_view failed : kFailed) {
    if (absl::StartsWith(message, failed)) return RpcOutcome::kConnectionGone;
  }
  return RpcOutcome::kAnswered;
}

}  // namespace predial
