#include "plugin/io/rpc_outcome.h"

#include <string>

#include "absl/strings/match.h"

namespace predial {
namespace {

// In the debug error string of a status that came over the wire (gRPC 1.51; since 1.2 at least).
constexpr char kFromServer[] = "Error received from peer";
// Status messages of a connection that takes no new RPCs (gRPC 1.51).
constexpr char kGoAway[] = "GOAWAY received";
constexpr char kClosed[] = "Transport closed";

}  // namespace

RpcOutcome JudgeOutcome(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return RpcOutcome::kAnswered;
  if (absl::StrContains(context.debug_error_string(), kFromServer)) return RpcOutcome::kAnswered;
  if (status.error_message() == kGoAway || status.error_message() == kClosed) {
    return RpcOutcome::kConnectionGone;
  }
  return RpcOutcome::kTransportFailed;
}

}  // namespace predial
