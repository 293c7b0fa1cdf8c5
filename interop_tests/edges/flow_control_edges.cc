// Edges: windows (RFC 9113 sections 5.2, 6.9) for what the client sends: 1 KiB, a byte at a time.
#include "interop_tests/edges/edge.h"
#include "interop_tests/edges/edge_stage.h"
#include "interop_tests/edges/edges.h"

namespace predial {
namespace {

using grpc::StatusCode;

constexpr char kSection[] = "Flow control";
constexpr char kNotLooked[] = "RFC 9113: an error; gRPC does not look";
// More than a request of 1 KiB takes, prefix and all.
constexpr int kRequestBytesMax = 1100;
const auto kWindowUpdate = Http2FrameType::kWindowUpdate;

std::string Number(uint32_t number) {
  return EncodeWindowUpdate(0, number).substr(9);  // without the frame's header
}

Edge Request(const char* what, Http2Settings settings, Steps on_headers = {}) {
  Edge edge;
  edge.section = kSection;
  edge.what = what;
  edge.stage = "at first";
  edge.call = EdgeCall::kUnaryKilobyte;
  edge.connection.greeting = {Step::Settings(std::move(settings))};
  edge.reply = Reply::Answer();
  edge.reply.on_headers = std::move(on_headers);
  edge.ordinary = {StatusCode::OK, 1};
  return edge;
}

Edge Update(const char* what, Step step, EdgeOutcome outcome, const char* note = "") {
  Edge edge;
  edge.section = kSection;
  edge.what = what;
  edge.stage = "before headers";
  edge.reply = Reply::AtEnd(Join({std::move(step)}, Rest(EdgeStage::kBeforeHeaders)));
  edge.ordinary = outcome;
  edge.note = note;
  return edge;
}

}  // namespace

std::vector<Edge> FlowControlEdges() {
  const EdgeOutcome ok{StatusCode::OK, 1};
  const EdgeOutcome broken{StatusCode::UNKNOWN};
  std::vector<Edge> edges = {
      Request("INITIAL_WINDOW_SIZE 1, given back byte by byte", {{kSettingInitialWindowSize, 1}}),
      Request("INITIAL_WINDOW_SIZE 7, given back as it is used", {{kSettingInitialWindowSize, 7}}),
      Request("MAX_FRAME_SIZE 16384 and INITIAL_WINDOW_SIZE 2^31-1",
              {{kSettingMaxFrameSize, 16384}, {kSettingInitialWindowSize, 0x7fffffff}}),
  };
  // The window is opened in front of the client, which has said nothing yet but its headers.
  Edge shut = Request("INITIAL_WINDOW_SIZE 0, and 1100 WINDOW_UPDATEs of 1",
                      {{kSettingInitialWindowSize, 0}},
                      Steps(kRequestBytesMax, Step::Frame(kWindowUpdate, 0, Number(1))));
  shut.for_all = true;
  shut.warm = false;
  edges.push_back(shut);
  Edge settings = Request("INITIAL_WINDOW_SIZE 0, and SETTINGS that raise it to 65535",
                          {{kSettingInitialWindowSize, 0}},
                          {Step::Settings({{kSettingInitialWindowSize, 65535}})});
  settings.for_all = true;
  settings.warm = false;
  edges.push_back(settings);
  const std::vector<Edge> more = {
      Update("WINDOW_UPDATE of 0 on the RPC's stream", Step::Frame(kWindowUpdate, 0, Number(0)),
             broken),
      Update("WINDOW_UPDATE of 0 on the connection", Step::Bytes(EncodeWindowUpdate(0, 0)), broken),
      Update("WINDOW_UPDATE that overflows the stream's window",
             Step::Frame(kWindowUpdate, 0, Number(0x7fffffff)), ok, kNotLooked),
      Update("WINDOW_UPDATE that overflows the connection's window",
             Step::Bytes(EncodeWindowUpdate(0, 0x7fffffff)), ok, kNotLooked),
      Update("WINDOW_UPDATE on a stream that never was", Step::Bytes(EncodeWindowUpdate(1001, 1)),
             ok),
      Update("WINDOW_UPDATE of 3 bytes", Step::Frame(kWindowUpdate, 0, "abc"), broken),
  };
  edges.insert(edges.end(), more.begin(), more.end());
  return edges;
}

}  // namespace predial
