#include "plugin/core/types.h"

namespace predial {

const char* ToString(CloseReason reason) {
  switch (reason) {
    case CloseReason::kPeerClosed:
      return "peer_closed";
    case CloseReason::kIdle:
      return "idle";
    case CloseReason::kGoingAway:
      return "going_away";
    case CloseReason::kUnhealthy:
      return "unhealthy";
    case CloseReason::kRebalanced:
      return "rebalanced";
    case CloseReason::kEndpointGone:
      return "endpoint_gone";
    case CloseReason::kSetupFailed:
      return "setup_failed";
    case CloseReason::kShutdown:
      return "shutdown";
    case CloseReason::kRotated:
      return "rotated";
    case CloseReason::kFailing:
      return "failing";
    case CloseReason::kDrainTimeout:
      return "drain_timeout";
    case CloseReason::kSuspended:
      return "suspended";
  }
  return "unknown";
}

const char* ToString(RotateReason reason) {
  switch (reason) {
    case RotateReason::kNone:
      return "none";
    case RotateReason::kAge:
      return "age";
    case RotateReason::kRpcs:
      return "requests";
    case RotateReason::kProvenAge:
      return "proven_age";
    case RotateReason::kProvenRpcs:
      return "proven_requests";
    case RotateReason::kFailing:
      return "failing";
    case RotateReason::kSilent:
      return "silent";
    case RotateReason::kAsked:
      return "asked";
    case RotateReason::kSpread:
      return "spread";
  }
  return "unknown";
}

const char* ToString(DialResult result) {
  switch (result) {
    case DialResult::kOk:
      return "ok";
    case DialResult::kRefused:
      return "refused";
    case DialResult::kUnreachable:
      return "unreachable";
    case DialResult::kTimeout:
      return "timeout";
    case DialResult::kNotHttp2:
      return "not_http2";
    case DialResult::kLocalLimit:
      return "local_limit";
    case DialResult::kError:
      return "error";
    case DialResult::kHandshake:
      return "handshake";
  }
  return "unknown";
}

const char* ToString(RejectReason reason) {
  switch (reason) {
    case RejectReason::kFull:
      return "full";
    case RejectReason::kCannotWait:
      return "cannot_wait";
    case RejectReason::kWaitersMax:
      return "waiters_max";
    case RejectReason::kCheckoutTimeout:
      return "checkout_timeout";
    case RejectReason::kDeadline:
      return "deadline";
  }
  return "unknown";
}

const char* ToString(HealthResult result) {
  switch (result) {
    case HealthResult::kServing:
      return "serving";
    case HealthResult::kNotServing:
      return "not_serving";
    case HealthResult::kUnimplemented:
      return "unimplemented";
    case HealthResult::kNoAnswer:
      return "no_answer";
  }
  return "unknown";
}

const char* ToString(NeverSent reason) {
  switch (reason) {
    case NeverSent::kGoaway:
      return "goaway";
    case NeverSent::kClosed:
      return "closed";
    case NeverSent::kUnconnected:
      return "unconnected";
  }
  return "unknown";
}

const char* ToString(LossReason reason) {
  switch (reason) {
    case LossReason::kInFlight:
      return "in_flight";
    case LossReason::kStream:
      return "stream";
    case LossReason::kMessages:
      return "messages";
    case LossReason::kBudget:
      return "budget";
  }
  return "unknown";
}

}  // namespace predial
