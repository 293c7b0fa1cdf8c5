// Edges: SETTINGS and PING (RFC 9113 sections 6.5 and 6.7).
#include "absl/strings/str_cat.h"
#include "interop_tests/edges/edge.h"
#include "interop_tests/edges/edge_stage.h"
#include "interop_tests/edges/edges.h"

namespace predial {
namespace {

using grpc::StatusCode;

constexpr int kFlood = 1000;
constexpr char kNotLooked[] = "RFC 9113: a connection error; gRPC does not look";

Edge Make(const std::string& what, Steps steps, EdgeOutcome outcome, const char* note = "") {
  Edge edge;
  edge.section = "SETTINGS and PING";
  edge.what = what;
  edge.stage = "before headers";
  edge.reply = Reply::AtEnd(Join(std::move(steps), Rest(EdgeStage::kBeforeHeaders)));
  edge.ordinary = outcome;
  edge.note = note;
  return edge;
}

Edge Greeting(const std::string& what, Steps greeting) {
  Edge edge;
  edge.section = "SETTINGS and PING";
  edge.what = what;
  edge.stage = "at first";
  edge.reply = Reply::Answer();
  edge.connection.greeting = std::move(greeting);
  edge.ordinary = {StatusCode::OK, 1};
  return edge;
}

Steps Flood(const Step& step) { return Steps(kFlood, step); }

}  // namespace

std::vector<Edge> SettingsEdges() {
  const EdgeOutcome ok{StatusCode::OK, 1};
  const EdgeOutcome broken{StatusCode::UNKNOWN};
  std::vector<Edge> edges = {
      Greeting("SETTINGS with nothing in them", {Step::Settings()}),
      Greeting("SETTINGS with unknown ids",
               {Step::Settings({{0x4242, 7}, {0xfffe, 0xffffffff}, {0, 0}})}),
      Greeting("SETTINGS twice",
               {Step::Settings(), Step::Settings({{kSettingHeaderTableSize, 0}})}),
      Greeting("SETTINGS and a PING", {Step::Settings(), Step::Ping()}),
      Greeting("SETTINGS with a stream limit of 1",
               {Step::Settings({{kSettingMaxConcurrentStreams, 1}})}),
  };
  Edge late =
      Greeting("SETTINGS after a second", {Step::AwaitGate(kASecondLater), Step::Settings()});
  late.late_connection = true;
  late.warm = false;
  edges.push_back(late);
  const std::vector<Edge> more = {
      Make("1000 PINGs, all acknowledged", Join(Flood(Step::Ping()), {Step::AwaitPingAck()}), ok),
      Make("1000 SETTINGS", Flood(Step::Settings()), ok),
      Make("an acknowledgement of a PING that was not sent",
           {Step::Bytes(EncodeFrame(Http2FrameType::kPing, kFlagAck, 0, "what was"))}, ok),
  };
  edges.insert(edges.end(), more.begin(), more.end());
  const auto raw = [&](const char* what, Http2FrameType type, uint8_t flags, uint32_t stream,
                       const std::string& payload, EdgeOutcome outcome) {
    edges.push_back(Make(what, {Step::Bytes(EncodeFrame(type, flags, stream, payload))}, outcome));
  };
  raw("a PING of 7 bytes", Http2FrameType::kPing, 0, 0, "7 bytes", broken);
  raw("a PING on a stream", Http2FrameType::kPing, 0, 1, "8 bytes!", ok);
  edges.back().note = kNotLooked;
  raw("SETTINGS of 5 bytes", Http2FrameType::kSettings, 0, 0, "5 byt", broken);
  raw("SETTINGS on a stream", Http2FrameType::kSettings, 0, 1, "", broken);
  raw("SETTINGS that acknowledge and have a payload", Http2FrameType::kSettings, kFlagAck, 0,
      std::string("\0\x03\0\0\0\x09", 6), broken);
  struct Value {
    const char* what;
    uint16_t id;
    uint32_t value;
    EdgeOutcome outcome;
    const char* note = "";
  };
  for (const Value& value :
       {Value{"ENABLE_PUSH 1", kSettingEnablePush, 1, ok, kNotLooked},
        Value{"ENABLE_PUSH 2", kSettingEnablePush, 2, broken},
        Value{"INITIAL_WINDOW_SIZE 2^31", kSettingInitialWindowSize, 0x80000000, broken},
        Value{"MAX_FRAME_SIZE 1", kSettingMaxFrameSize, 1, broken},
        Value{"MAX_FRAME_SIZE 2^24", kSettingMaxFrameSize, 1 << 24, broken},
        Value{"HEADER_TABLE_SIZE 0", kSettingHeaderTableSize, 0, ok},
        Value{"HEADER_TABLE_SIZE 2^32-1", kSettingHeaderTableSize, 0xffffffff, ok}}) {
    edges.push_back(Make(absl::StrCat("SETTINGS with ", value.what),
                         {Step::Settings({{value.id, value.value}})}, value.outcome, value.note));
  }
  return edges;
}

}  // namespace predial
