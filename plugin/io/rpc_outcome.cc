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
constexpr absl::string_view kGoaway = "GOAWAY received";
constexpr absl::string_view kClosed = "Transport closed";
constexpr absl::string_view kGone[] = {
    kGoaway,
    kClosed,
    "Socket closed",
    "keepalive watchdog timeout",
    "Trying to connect an http1.x server",
    "Broken pipe",
    "Connection reset by peer",
    "Connection timed out",
};
// An ordinary channel's; the cause follows.
constexpr absl::string_view kUnconnected = "failed to connect to all addresses";
// Of a debug string.
constexpr absl::string_view kFromPeer = "Error received from peer";
// A read or a write failed: the cause follows.
constexpr absl::string_view kFailed[] = {"recvmsg:", "sendmsg:"};

bool IsGone(const std::string& message) {
  for (const absl::string_view gone : kGone) {
    if (message == gone) return true;
  }
  for (const absl::string_view failed : kFailed) {
    if (absl::StartsWith(message, failed)) return true;
  }
  return false;
}

}  // namespace

RpcOutcome JudgeOutcome(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return RpcOutcome::kOk;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::INTERNAL:
      return IsGone(status.error_message()) ? RpcOutcome::kConnectionGone : RpcOutcome::kFailed;
    case grpc::StatusCode::UNKNOWN:
      return RpcOutcome::kFailed;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return RpcOutcome::kUnanswered;
    case grpc::StatusCode::CANCELLED:
      return RpcOutcome::kCancelled;
    default:
      return RpcOutcome::kError;
  }
}

std::optional<NeverSent> WasNeverSent(const grpc::Status& status) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return std::nullopt;
  if (status.error_message() == kGoaway) return NeverSent::kGoaway;
  if (status.error_message() == kClosed) return NeverSent::kClosed;
  return std::nullopt;
}

bool FoundNoConnection(const grpc::Status& status, const std::string& debug_error_string) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         absl::StartsWith(status.error_message(), kUnconnected) && !debug_error_string.empty() &&
         !absl::StrContains(debug_error_string, kFromPeer);
}

}  // namespace predial
