// Edges: frames (RFC 9113 section 6) that are unusual, unknown or wrong, in the midst of a good
// answer.
#include "absl/strings/str_cat.h"
#include "interop_tests/edges/edge.h"
#include "interop_tests/edges/edge_stage.h"
#include "interop_tests/edges/edges.h"
#include "interop_tests/edges/raw_answer.h"

namespace predial {
namespace {

using grpc::StatusCode;

constexpr char kNoPadding[] = "gRPC takes no padding";
constexpr char kTwice[] = "the second are trailers to gRPC, and do not end the stream";
constexpr char kPush[] = "gRPC says ENABLE_PUSH 0, and ignores what is pushed all the same";
constexpr char kNotLooked[] = "RFC 9113: a connection error; gRPC does not look";

constexpr auto kHeaders = Http2FrameType::kHeaders;
constexpr auto kContinuation = Http2FrameType::kContinuation;

Edge Make(const char* what, Steps steps, EdgeOutcome outcome, const char* note = "") {
  Edge edge;
  edge.section = "Frames";
  edge.what = what;
  edge.reply = Reply::AtEnd(std::move(steps));
  edge.ordinary = outcome;
  edge.note = note;
  return edge;
}

// Before a good answer.
Edge Before(const char* what, Step step, EdgeOutcome outcome, const char* note = "") {
  return Make(what, Join({std::move(step)}, Rest(EdgeStage::kBeforeHeaders)), outcome, note);
}

Step Unknown(uint8_t flags, const char* payload) {
  return Step::Frame(static_cast<Http2FrameType>(0xfa), flags, payload);
}
Step Raw(Http2FrameType type, uint8_t flags, uint32_t stream, absl::string_view payload) {
  return Step::Bytes(EncodeFrame(type, flags, stream, payload));
}

std::vector<Edge> HeaderFrames() {
  const EdgeOutcome ok{StatusCode::OK, 1};
  const std::string block = EncodeHeaders(GoodHeaders());
  const Step data = RawData(GoodMessage());
  const Step end = Step::Trailers();
  Steps bytewise = {Step::Frame(kHeaders, 0, block.substr(0, 1))};
  for (size_t i = 1; i < block.size(); ++i) {
    bytewise.push_back(Step::Frame(kContinuation, 0, block.substr(i, 1)));
  }
  bytewise.push_back(Step::Frame(kContinuation, kFlagEndHeaders, ""));
  const std::string priority("\0\0\0\0\x10", 5);
  return {
      Make("HEADERS and a CONTINUATION",
           {Step::Frame(kHeaders, 0, block.substr(0, 9)),
            Step::Frame(kContinuation, kFlagEndHeaders, block.substr(9)), data, end},
           ok),
      Make("CONTINUATIONs of a byte", Join(bytewise, {data, end}), ok),
      Make("a PING between HEADERS and CONTINUATION",
           {Step::Frame(kHeaders, 0, block.substr(0, 9)), Step::Ping(),
            Step::Frame(kContinuation, kFlagEndHeaders, block.substr(9)), data, end},
           {StatusCode::UNKNOWN}),
      Make("a CONTINUATION of nothing",
           {Step::Headers(), Step::Frame(kContinuation, kFlagEndHeaders, block), data, end},
           {StatusCode::UNKNOWN}),
      Make("HEADERS with padding",
           {Step::Frame(kHeaders, kFlagEndHeaders | kFlagPadded, Padded(block, 4)), data, end},
           {StatusCode::UNKNOWN}, kNoPadding),
      Make("HEADERS with a priority",
           {Step::Frame(kHeaders, kFlagEndHeaders | kFlagPriority, priority + block), data, end},
           ok),
      Make("HEADERS with unknown flags",
           {Step::Frame(kHeaders, kFlagEndHeaders | 0xd2, block), data, end}, ok),
      Make("HEADERS twice", {Step::Headers(), RawHeaders({{"more", "headers"}}), data, end},
           {StatusCode::UNKNOWN}, kTwice),
      Make("HEADERS that HPACK cannot read",
           {Step::Frame(kHeaders, kFlagEndHeaders, "\xff\xff\xff\xff\xff\xff\xff")},
           {StatusCode::UNKNOWN}),
      Make("HEADERS with an upper-case name",
           {RawHeaders({{":status", "200"}, {"Content-Type", "application/grpc"}}), data, end}, ok),
      Make("HEADERS with a name of a space",
           {RawHeaders({{":status", "200"}, {"bad name", "x"}}), data, end}, ok),
  };
}

std::vector<Edge> DataFrames() {
  const EdgeOutcome ok{StatusCode::OK, 1};
  const std::string good = GoodMessage();
  const Step headers = Step::Headers();
  const Step end = Step::Trailers();
  return {
      Make("DATA with padding", {headers, RawData(Padded(good, 4), kFlagPadded), end},
           {StatusCode::INTERNAL}, kNoPadding),
      Make("DATA with unknown flags", {headers, RawData(good, 0xd2), end}, {StatusCode::INTERNAL},
           "RFC 9113: they are to be ignored; gRPC does not"),
      Make("DATA before HEADERS", {RawData(good), headers, end}, ok),
      Make("DATA on stream 0", {headers, Raw(Http2FrameType::kData, 0, 0, "x"), RawData(good), end},
           ok),
      Make("DATA on a stream that never was",
           {headers, Raw(Http2FrameType::kData, 0, 1001, "x"), RawData(good), end}, ok),
      Make("DATA after the trailers", {headers, RawData(good), end, RawData(good)}, ok),
      Make("HEADERS after the trailers", {headers, RawData(good), end, headers}, ok),
      Make("a frame of 16 MiB is announced",
           {headers, Step::Bytes(std::string("\xff\xff\xff\0\0\0\0\0\3", 9))},
           {StatusCode::INTERNAL}),
  };
}

std::vector<Edge> OtherFrames() {
  const EdgeOutcome ok{StatusCode::OK, 1};
  const EdgeOutcome broken{StatusCode::UNKNOWN};
  const std::string promise = absl::StrCat(
      std::string("\0\0\0\2", 4),
      EncodeHeaders(
          {{":method", "GET"}, {":path", "/"}, {":scheme", "http"}, {":authority", "x"}}));
  Steps pushed = {Step::Frame(Http2FrameType::kPushPromise, kFlagEndHeaders, promise),
                  Raw(kHeaders, kFlagEndHeaders, 2, EncodeHeaders({{":status", "200"}})),
                  Raw(Http2FrameType::kData, kFlagEndStream, 2, "pushed")};
  return {
      Before("a frame of an unknown type on the stream", Unknown(0xff, "what is it"), ok),
      Before("a frame of an unknown type on the connection",
             Raw(static_cast<Http2FrameType>(0xfb), 0, 0, "what is it"), ok),
      Before("PRIORITY", Step::Frame(Http2FrameType::kPriority, 0, std::string("\0\0\0\0\1", 5)),
             ok),
      Before("PUSH_PROMISE", Step::Frame(Http2FrameType::kPushPromise, kFlagEndHeaders, promise),
             ok, kPush),
      Make("PUSH_PROMISE, and what was promised", Join(pushed, Rest(EdgeStage::kBeforeHeaders)), ok,
           kPush),
      Before("RST_STREAM of 3 bytes", Step::Frame(Http2FrameType::kRstStream, 0, "abc"), broken),
      Before("RST_STREAM on stream 0",
             Raw(Http2FrameType::kRstStream, 0, 0, std::string("\0\0\0\2", 4)), ok, kNotLooked),
      Before("RST_STREAM on a stream that never was",
             Step::Bytes(EncodeReset(1001, Http2Error::kCancel)), ok),
      Before("HEADERS on a stream that never was",
             Raw(kHeaders, kFlagEndHeaders, 1001, EncodeHeaders(GoodHeaders())), ok),
      Before("HEADERS on a stream of the server's",
             Raw(kHeaders, kFlagEndHeaders, 2, EncodeHeaders(GoodHeaders())), ok),
      Before("HEADERS on stream 0", Raw(kHeaders, kFlagEndHeaders, 0, EncodeHeaders(GoodHeaders())),
             ok),
      Before("GOAWAY of 7 bytes", Raw(Http2FrameType::kGoAway, 0, 0, "7 bytes"), broken),
      Before("GOAWAY on a stream",
             Raw(Http2FrameType::kGoAway, 0, 1, std::string("\0\0\0\0\0\0\0\0", 8)),
             {StatusCode::OK, 1, /*seen=*/2}, "gRPC takes it for one with last id 0"),
      Before("bytes that are no frame", Step::Bytes("this is no frame of HTTP/2, is it"), broken),
  };
}

}  // namespace

std::vector<Edge> FrameEdges() {
  std::vector<Edge> edges = HeaderFrames();
  for (const auto& more : {DataFrames, OtherFrames}) {
    for (Edge& edge : more()) edges.push_back(std::move(edge));
  }
  return edges;
}

}  // namespace predial
