// Edges: messages that are none, or too large, or cut (PROTOCOL-HTTP2.md,
// "Length-Prefixed-Message").
#include "interop_tests/edges/edge.h"
#include "interop_tests/edges/edge_stage.h"
#include "interop_tests/edges/edges.h"
#include "interop_tests/edges/raw_answer.h"

namespace predial {
namespace {

using grpc::StatusCode;

constexpr int kEmptyFrames = 1000;

Edge Make(const char* what, Steps data, EdgeOutcome outcome, HeaderList metadata = {}) {
  Edge edge;
  edge.section = "Messages";
  edge.what = what;
  edge.reply = Reply::AtEnd(Join({Step::Headers(std::move(metadata))}, data, {Step::Trailers()}));
  edge.ordinary = outcome;
  return edge;
}

// With a prefix of one's own.
Step Data(const std::string& prefix, const std::string& message) {
  return RawData(prefix + message);
}

// One frame a byte.
Steps Bytewise(const std::string& message) {
  Steps steps;
  for (const char c : message) steps.push_back(RawData(std::string(1, c)));
  return steps;
}

}  // namespace

std::vector<Edge> MessageEdges() {
  const EdgeOutcome ok{StatusCode::OK, 1};
  const EdgeOutcome unknown{StatusCode::UNKNOWN};
  // What gRPC calls an RPC that ended well, but without the one message.
  const EdgeOutcome no_message{StatusCode::UNIMPLEMENTED};
  const std::string good = GoodMessage();
  const std::string body = good.substr(5);
  std::vector<Edge> edges = {
      Make("a message of a frame a byte", Bytewise(good), ok),
      Make("1000 empty DATA frames before the message",
           Join(Steps(kEmptyFrames, RawData("")), {RawData(good)}), ok),
      Make("a message that is not the protocol buffer",
           {Data(std::string("\0\0\0\0\3", 5), "\xff\xff\xff")}, no_message),
      Make("a message cut short by the trailers", {RawData(good.substr(0, 7))}, no_message),
      Make("half a prefix, and the trailers", {RawData(good.substr(0, 3))}, no_message),
      Make("a message of 5 MiB is announced", {RawData(std::string("\0\0\x50\0\0", 5))},
           no_message),
      Make("a message of 4 GiB is announced", {RawData(std::string("\0\xff\xff\xff\xff", 5))},
           no_message),
      Make("compression flag 2", {Data(std::string("\2\0\0\0\6", 5), body)}, no_message),
      Make("compression flag 1 without an encoding", {Data(std::string("\1\0\0\0\6", 5), body)},
           ok),
      Make("compression flag 1 and an encoding that nobody knows",
           {Data(std::string("\1\0\0\0\6", 5), body)}, ok, {{"grpc-encoding", "zstd-2"}}),
      Make("compression flag 1 and bytes that are no gzip",
           {Data(std::string("\1\0\0\0\6", 5), body)}, unknown, {{"grpc-encoding", "gzip"}}),
      Make("an encoding that nobody knows, unused", {RawData(good)}, ok,
           {{"grpc-encoding", "zstd-2"}}),
  };
  // gRPC's stub waits for a status that is behind a message that it does not read.
  Edge two = Make("two messages to a unary RPC", {RawData(good), RawData(good)},
                  {StatusCode::DEADLINE_EXCEEDED});
  two.call = EdgeCall::kUnaryBriefly;
  two.note = "the stub never reads the second message, and so not the trailers behind it";
  edges.push_back(two);
  return edges;
}

}  // namespace predial
