// What the end of an RPC says about its connection.
//
// gRPC gives the server's UNAVAILABLE and the transport's the same code. What tells them apart is
// text that depends on gRPC's version; rpc_outcome.cc holds all of it, rpc_outcome_test.cc shows
// with real servers that it still fits.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include "plugin/core/types.h"

namespace predial {

// `context` is that of the RPC that ended with `status`.
RpcOutcome JudgeOutcome(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace predial
