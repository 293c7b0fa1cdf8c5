// What the end of an RPC says about its connection.
//
// gRPC gives the server's own UNAVAILABLE and the transport's the same code, and even the same
// debug string. What tells them apart is the message, which depends on gRPC's version:
// rpc_outcome.cc has the table, and rpc_outcome_test.cc shows with real servers that it still fits.
// A server that makes the same text its own costs a connection, and, as far as WasNeverSent() goes,
// a look at whether the connection does take no more: see NeverSentRetry.
#pragma once

#include <grpcpp/support/status.h>

#include <optional>

#include "plugin/core/types.h"

namespace predial {

RpcOutcome JudgeOutcome(const grpc::Status& status);

// Whether gRPC says that an RPC with this end, on a from-fd channel, was never seen by its server.
// No value if it may have been.
std::optional<NeverSent> WasNeverSent(const grpc::Status& status);

// Whether an RPC with this end, on an ordinary channel without a retry policy, was never seen by a
// server, because there was no connection for it. `debug_error_string` is its ClientContext's: a
// server that makes gRPC's message its own cannot take from it that it came from a peer.
bool FoundNoConnection(const grpc::Status& status, const std::string& debug_error_string);

}  // namespace predial
