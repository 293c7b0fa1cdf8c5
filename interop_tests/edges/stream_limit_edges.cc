// Edges: SETTINGS_MAX_CONCURRENT_STREAMS that changes while RPCs are open. Those that are beyond it
// go on (RFC 9113 section 5.1.2); new ones wait inside gRPC.
#include "interop_tests/edges/edge.h"
#include "interop_tests/edges/edge_stage.h"
#include "interop_tests/edges/edges.h"

namespace predial {
namespace {

using grpc::StatusCode;

Steps Limit(uint32_t streams) {
  return {Step::Settings({{kSettingMaxConcurrentStreams, streams}})};
}

Edge Make(const char* what, EdgeCall call, Steps midway, Steps midway_end, EdgeOutcome outcome) {
  Edge edge;
  edge.section = "The stream limit";
  edge.what = what;
  edge.call = call;
  edge.reply = Reply::Answer();
  edge.midway = std::move(midway);
  edge.midway_end = std::move(midway_end);
  edge.ordinary = outcome;
  return edge;
}

}  // namespace

std::vector<Edge> StreamLimitEdges() {
  const EdgeOutcome unseen{StatusCode::DEADLINE_EXCEEDED, 0, /*seen=*/0};
  std::vector<Edge> edges = {
      Make("SETTINGS lower the stream limit to 1", EdgeCall::kBesideStreams, Limit(1), {}, unseen),
      Make("SETTINGS lower the stream limit to 1", EdgeCall::kAfterStreams, Limit(1), {},
           {StatusCode::OK, 1}),
      Make("SETTINGS lower the stream limit to 3", EdgeCall::kBesideStreams, Limit(3), {}, unseen),
      Make("SETTINGS lower the stream limit to 4", EdgeCall::kBesideStreams, Limit(4), {},
           {StatusCode::OK, 1}),
      Make("SETTINGS lower the stream limit to 0, and later raise it to 100",
           EdgeCall::kBesideStreams, Limit(0), Limit(100), unseen),
      Make("SETTINGS lower the stream limit to 0, and later raise it to 100",
           EdgeCall::kTwoUntilLimitRises, Limit(0), Limit(100), {StatusCode::OK, 2, /*seen=*/2}),
      Make("SETTINGS raise the stream limit to 2^32-1", EdgeCall::kBesideStreams, Limit(0xffffffff),
           {}, {StatusCode::OK, 1}),
  };
  return edges;
}

}  // namespace predial
