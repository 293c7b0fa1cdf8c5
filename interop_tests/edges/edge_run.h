// RunEdge: does one Edge on a server and a channel of its own, and tells what became of the RPC.
//
// Threads: thread-safe; each run is apart from all others.
// Errors:  what never comes ends as DEADLINE_EXCEEDED, after half a minute.
#pragma once

#include <string>

#include "interop_tests/edges/edge.h"

namespace predial {

enum class EdgeChannel { kOrdinary, kPool };

struct EdgeRun {
  EdgeOutcome outcome;
  std::string message;  // of the RPC's status
  // What went wrong around it; empty: nothing. The RPCs after it, and those that were not to fail.
  std::string trouble;
};

EdgeRun RunEdge(const Edge& edge, EdgeChannel channel);

}  // namespace predial
