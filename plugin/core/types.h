// The plain values that the pool's core and its surroundings exchange. Std only.
#pragma once

#include <chrono>
#include <cstdint>

namespace predial {

// Time is steady_clock, and is always passed in: nothing in core reads a clock.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = std::chrono::nanoseconds;

// One slot of the pool over its whole life; never reused within a pool.
enum class MemberId : uint64_t {};

// One resolved address of the target; never reused within a pool.
enum class EndpointId : uint64_t {};

// Why a connection came to its end. Becomes the `reason` label of
// predial_connections_closed_total: keep the set small.
enum class CloseReason {
  kPeerClosed,    // the peer, or the network, ended it
  kIdle,          // above the wanted size for idle_timeout
  kGoingAway,     // an RPC found that it takes no more: GOAWAY, or closed already
  kUnhealthy,     // a health check on it got no answer
  kRebalanced,    // made room for a member on an endpoint with too few
  kEndpointGone,  // the resolver no longer lists its address
  kSetupFailed,   // connected, but never became a working HTTP/2 connection
  kShutdown,      // the pool was shut down or destroyed
  kRotated,       // replaced before its time was up: see RotateReason
  kFailing,       // RPCs on it kept failing, or nothing came back from it
  kDrainTimeout,  // its last RPCs did not end within drain_timeout
  kSuspended,     // the pool was suspended
};
inline constexpr int kCloseReasons = 12;
const char* ToString(CloseReason reason);

// Why a member is replaced although its connection works. Becomes the `reason` label of
// predial_rotations_total.
enum class RotateReason {
  kAge,         // connection_age_max
  kRpcs,        // requests_per_connection_max
  kProvenAge,   // before the age at which the server ends connections
  kProvenRpcs,  // before the number of RPCs after which it does
  kFailing,     // RPCs on it kept failing, with codes that tell nothing of the connection
  kSilent,      // nothing came back from it, and health checks are off
  kAsked,       // PooledChannel::ReplaceConnections()
  kSpread,      // its backend has more members than another: see core/spread.h
  kNone,        // it is not: does not count
};
inline constexpr int kRotateReasons = 8;
const char* ToString(RotateReason reason);

// What a dial came to. Becomes the `result` label of predial_dials_total.
enum class DialResult {
  kOk,
  kRefused,      // ECONNREFUSED: a host is there, no listener
  kUnreachable,  // no route, host or network unreachable, unix path missing
  kTimeout,      // connect_timeout passed
  kNotHttp2,     // not a dial's: connected, but the peer does not speak HTTP/2 (see kSetupFailed)
  kLocalLimit,   // this process's limit (EMFILE, ENFILE, ENOMEM, ports): the peer is not to blame
  kError,        // anything else
  kHandshake,    // not a dial's alone: connected, but the TLS handshake failed
};
inline constexpr int kDialResults = 8;
const char* ToString(DialResult result);

// The outcome of one health check or one message of a health watch.
enum class HealthResult {
  kServing,        // SERVING
  kNotServing,     // NOT_SERVING, or any status that is not SERVING
  kUnimplemented,  // the server has no health service, or does not know the name: counts as serving
  kNoAnswer,       // timed out, or the connection failed
};
inline constexpr int kHealthResults = 4;
const char* ToString(HealthResult result);

// How an RPC ended, as far as its connection is concerned.
enum class RpcOutcome {
  kOk,
  kError,          // an answer about the RPC itself: NOT_FOUND, INVALID_ARGUMENT, …
  kFailed,         // what an ailing server or connection gives: UNAVAILABLE, INTERNAL, UNKNOWN
  kUnanswered,     // DEADLINE_EXCEEDED
  kCancelled,      // by its caller, or so it looks; or never started
  kConnectionGone  // its connection takes no more RPCs
};

// What gRPC says of an RPC that its server never saw. Becomes the `reason` label of
// predial_rpcs_retried_total.
enum class NeverSent {
  kGoaway,       // the server's GOAWAY came first, or its last stream id is below the RPC's
  kClosed,       // the connection was closed before the RPC started on it
  kUnconnected,  // it found no connection
};
inline constexpr int kNeverSentReasons = 3;
const char* ToString(NeverSent reason);

// Why an RPC failed with its connection, instead of being sent again on another. Becomes the
// `reason` label of predial_rpcs_lost_total.
enum class LossReason {
  kInFlight,  // the server may have seen it
  kStream,    // never sent, but not unary
  kMessages,  // never sent, but its messages are not those of a stub that protoc generated
  kBudget,    // never sent, but never_sent_retries_max others were being retried
};
inline constexpr int kLossReasons = 4;
const char* ToString(LossReason reason);

// Why an RPC did not get a place on a connection, because all were full. Becomes the `reason` label
// of predial_checkouts_rejected_total.
enum class RejectReason {
  kFull,             // OverflowPolicy::kFailFast
  kCannotWait,       // it was not a synchronous RPC, and those do not wait
  kWaitersMax,       // as many others as may wait did so
  kCheckoutTimeout,  // none came free within checkout_timeout
  kDeadline,         // none came free before its own deadline
};
inline constexpr int kRejectReasons = 5;
const char* ToString(RejectReason reason);

// RPCs in a row on one member, none of which ended well.
enum class FailureStreak {
  kAiling,  // all of them as of an ailing server or connection
  kAny,     // more of them, whatever their codes
};

}  // namespace predial
