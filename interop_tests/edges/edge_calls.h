// CallEdge: makes the RPC that an Edge is about.
//
// Threads: thread-compatible; kAfterStreams and kTwoUntilLimitRises use threads of their own, which
//          are gone when it returns.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "interop_tests/edges/edge.h"
#include "plugin/testing/scripted_server.h"
#include "proto/echo.grpc.pb.h"

namespace predial {

// Request metadata that marks the RPC of the edge: the server's record tells it from others by it.
inline constexpr char kEdgeKey[] = "edge";

struct EdgeResult {
  grpc::Status status;
  int messages = 0;
  std::string trouble = {};  // of the streams beside it
};

EdgeResult CallEdge(const Edge& edge, echo::v1::Echo::Stub& stub, ScriptedServer& server);

// An RPC as any other; true if it is answered rightly.
grpc::Status CallOther(echo::v1::Echo::Stub& stub);

}  // namespace predial
