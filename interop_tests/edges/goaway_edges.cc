// Edges: GOAWAY (RFC 9113 section 6.8). A last id below the RPC's says that the server has not seen
// the RPC; here it has, so "seen twice" is the server's own doing. As long as no answer has begun
// an ordinary channel believes it, as it should.
#include "absl/strings/str_cat.h"
#include "interop_tests/edges/edge.h"
#include "interop_tests/edges/edge_stage.h"
#include "interop_tests/edges/edges.h"

namespace predial {
namespace {

using grpc::StatusCode;

constexpr char kSection[] = "GOAWAY";
constexpr char kStreamsAreLost[] =
    "of a member's RPCs only unary ones are sent again ([Limits](../README.md#limits))";
constexpr EdgeCall kCalls[] = {EdgeCall::kUnary, EdgeCall::kServerStream, EdgeCall::kBidiStream};

// One GOAWAY or two. In the end the RPC is let through, or not.
struct Way {
  std::string what;
  Steps steps;
  bool lets_through;
};

std::vector<Way> Ways() {
  struct Id {
    const char* what;
    uint32_t last;
    bool lets_through;
  };
  struct Code {
    const char* what;
    Http2Error error;
    const char* debug;
  };
  std::vector<Way> ways;
  for (const Id& id : {Id{"last id 0", 0, false}, Id{"a lower last id", kBeforeThisStream, false},
                       Id{"its id", kThisStream, true}, Id{"a higher last id", 1001, true},
                       Id{"last id 2^31-1", kAllStreams, true}}) {
    for (const Code& code :
         {Code{"NO_ERROR", Http2Error::kNoError, ""},
          Code{"PROTOCOL_ERROR", Http2Error::kProtocolError, ""},
          Code{"INTERNAL_ERROR", Http2Error::kInternalError, "failed"},
          Code{"ENHANCE_YOUR_CALM", Http2Error::kEnhanceYourCalm, "too_many_pings"}}) {
      ways.push_back({absl::StrCat("GOAWAY: ", id.what, ", ", code.what),
                      {Step::GoAway(id.last, code.error, code.debug)},
                      id.lets_through});
    }
  }
  const auto add_two = [&](const char* what, uint32_t first, uint32_t second, bool lets_through) {
    ways.push_back({what, {Step::GoAway(first), Step::GoAway(second)}, lets_through});
  };
  add_two("GOAWAY twice: 2^31-1, then its id", kAllStreams, kThisStream, true);
  add_two("GOAWAY twice: 2^31-1, then a lower one", kAllStreams, kBeforeThisStream, false);
  add_two("GOAWAY twice: its id, then a lower one", kThisStream, kBeforeThisStream, false);
  add_two("GOAWAY twice: its id, then 0", kThisStream, 0, false);
  add_two("GOAWAY twice: its id, then a higher one", kThisStream, 1001, true);
  ways.push_back({"GOAWAY: 2^31-1, a PING, its id", GracefulGoAway("max_age"), true});
  return ways;
}

Edge Make(const Way& way, EdgeStage stage, EdgeCall call) {
  Edge edge;
  edge.section = kSection;
  edge.what = way.what;
  edge.stage = NameOf(stage);
  edge.call = call;
  if (way.lets_through || stage == EdgeStage::kAfterTrailers) {
    edge.reply = OnRequest(call, Join(Until(stage, call), way.steps, Rest(stage)));
    edge.ordinary = {StatusCode::OK, 1};
    return edge;
  }
  edge.reply = OnRequest(call, Join(Until(stage, call), way.steps));
  edge.ordinary = {StatusCode::UNAVAILABLE, MessagesAt(stage, call)};
  if (stage != EdgeStage::kBeforeHeaders) return edge;
  edge.ordinary = {StatusCode::OK, 1, /*seen=*/2};
  if (call == EdgeCall::kUnary) return edge;
  edge.pool = {StatusCode::UNAVAILABLE, 0};
  edge.note = kStreamsAreLost;
  edge.known_limit = true;
  return edge;
}

}  // namespace

std::vector<Edge> GoAwayEdges() {
  std::vector<Edge> edges;
  for (const Way& way : Ways()) {
    for (const EdgeStage stage : {EdgeStage::kBeforeHeaders, EdgeStage::kAfterHeaders,
                                  EdgeStage::kAfterMessage, EdgeStage::kAfterTrailers}) {
      for (const EdgeCall call : kCalls) edges.push_back(Make(way, stage, call));
    }
  }
  return edges;
}

}  // namespace predial
