// Edges: what becomes of the connection itself: FIN, RST, a trickle.
#include "absl/strings/str_cat.h"
#include "interop_tests/edges/edge.h"
#include "interop_tests/edges/edge_stage.h"
#include "interop_tests/edges/edges.h"

namespace predial {
namespace {

using grpc::StatusCode;

constexpr char kSection[] = "The connection";
constexpr char kGarbage[] = "this is no frame of HTTP/2, is it";
constexpr EdgeCall kCalls[] = {EdgeCall::kUnary, EdgeCall::kServerStream, EdgeCall::kBidiStream};

struct Way {
  const char* what;
  Steps steps;
};

std::vector<Edge> Ends() {
  std::vector<Edge> edges;
  for (const Way& way : {Way{"a FIN, and the server reads on", {Step::HalfClose()}},
                         Way{"a close", {Step::Close()}}, Way{"a RST", {Step::Abort()}},
                         Way{"GOAWAY that lets it through, then a close",
                             {Step::GoAway(kThisStream), Step::Close()}},
                         Way{"GOAWAY that lets it through, then a RST",
                             {Step::GoAway(kThisStream), Step::Abort()}}}) {
    for (const EdgeStage stage : {EdgeStage::kBeforeHeaders, EdgeStage::kAfterHeaders,
                                  EdgeStage::kAfterMessage, EdgeStage::kAfterLastMessage}) {
      for (const EdgeCall call : kCalls) {
        if (stage == EdgeStage::kAfterLastMessage && call == EdgeCall::kUnary) continue;
        Edge edge;
        edge.section = kSection;
        edge.what = way.what;
        edge.stage = NameOf(stage);
        edge.call = call;
        edge.reply = OnRequest(call, Join(Until(stage, call), way.steps));
        edge.ordinary = {StatusCode::UNAVAILABLE, MessagesAt(stage, call)};
        edges.push_back(edge);
      }
    }
  }
  return edges;
}

Edge BrokenAfterGoAway() {
  Edge edge;
  edge.section = kSection;
  edge.what = "GOAWAY that lets it through, then bytes that are no frame";
  edge.stage = NameOf(EdgeStage::kBeforeHeaders);
  edge.reply = Reply::AtEnd(
      {Step::GoAway(kThisStream), Step::Ping(), Step::AwaitPingAck(), Step::Bytes(kGarbage)});
  edge.ordinary = {StatusCode::UNAVAILABLE};
  edge.pool = {StatusCode::OK, 1, /*seen=*/2};
  edge.note =
      "gRPC says of it what it says of an RPC that the GOAWAY excludes ([ADR "
      "11](adr/0011-never-sent-retry.md))";
  return edge;
}

}  // namespace

std::vector<Edge> ConnectionEdges() {
  std::vector<Edge> edges = Ends();
  edges.push_back(BrokenAfterGoAway());
  for (const EdgeCall call : kCalls) {
    Edge edge;
    edge.section = kSection;
    edge.what = "all bytes one by one";
    edge.call = call;
    edge.connection.bytes_per_write = 1;
    edge.reply = OnRequest(call, Rest(EdgeStage::kBeforeHeaders));
    edge.ordinary = {StatusCode::OK, 1};
    edges.push_back(edge);
  }
  return edges;
}

}  // namespace predial
