// Edges: metadata beyond limits, either way. The client's own limit is GRPC_ARG_MAX_METADATA_SIZE,
// 8 KiB by default; the server's is SETTINGS_MAX_HEADER_LIST_SIZE (RFC 9113 section 6.5.2).
#include "absl/strings/str_cat.h"
#include "interop_tests/edges/edge.h"
#include "interop_tests/edges/edge_stage.h"
#include "interop_tests/edges/edges.h"

namespace predial {
namespace {

using grpc::StatusCode;

// Seen on ordinary channels, once in thirty times or so.
constexpr char kAlsoTheNext[] = "now and then gRPC ends the connection's next RPC so, too";

Edge Make(const std::string& what, Steps steps, int metadata_bytes_max, EdgeOutcome outcome) {
  Edge edge;
  edge.section = "Metadata";
  edge.what = what;
  edge.reply = Reply::AtEnd(std::move(steps));
  edge.metadata_bytes_max = metadata_bytes_max;
  edge.ordinary = outcome;
  if (outcome.code == StatusCode::RESOURCE_EXHAUSTED) edge.note = kAlsoTheNext;
  return edge;
}

HeaderList Large(size_t bytes) { return {{"filler", std::string(bytes, 'f')}}; }
HeaderList Many(int count) {
  HeaderList headers;
  for (int i = 0; i < count; ++i) headers.emplace_back(absl::StrCat("name-", i), "value");
  return headers;
}

Edge Request(const char* what, uint32_t bytes_max, EdgeOutcome outcome, const char* note = "") {
  Edge edge;
  edge.section = "Metadata";
  edge.what = what;
  edge.call = EdgeCall::kUnaryMetadata;
  edge.connection.greeting = {Step::Settings({{kSettingMaxHeaderListSize, bytes_max}})};
  edge.reply = Reply::Answer();
  edge.ordinary = outcome;
  edge.note = note;
  return edge;
}

}  // namespace

std::vector<Edge> MetadataEdges() {
  const EdgeOutcome ok{StatusCode::OK, 1};
  const EdgeOutcome exhausted{StatusCode::RESOURCE_EXHAUSTED};
  const Step echo = Step::Echo();
  const Step end = Step::Trailers();
  const Step headers = Step::Headers();
  return {
      Make("headers of 7 KiB", {Step::Headers(Large(7000)), echo, end}, 0, ok),
      Make("headers of 12 KiB", {Step::Headers(Large(12000)), echo, end}, 0, exhausted),
      Make("headers of 12 KiB, 64 KiB are allowed", {Step::Headers(Large(12000)), echo, end}, 65536,
           ok),
      Make("headers of 12 KiB in 300 fields", {Step::Headers(Many(300)), echo, end}, 0, exhausted),
      Make("headers of 1 KiB, 512 bytes are allowed", {Step::Headers(Large(1000)), echo, end}, 512,
           exhausted),
      Make("trailers of 12 KiB", {headers, echo, Step::Trailers(0, "", Large(12000))}, 0,
           exhausted),
      Make("trailers of 12 KiB, 64 KiB are allowed",
           {headers, echo, Step::Trailers(0, "", Large(12000))}, 65536, ok),
      Make("trailers only, of 12 KiB", {Step::Trailers(9, "", Large(12000))}, 0, exhausted),
      Make("a message about an error of 6 KiB", {Step::Trailers(9, std::string(6000, 'e'))}, 0,
           {StatusCode::FAILED_PRECONDITION}),
      Request("MAX_HEADER_LIST_SIZE 1000", 1000, ok,
              "gRPC sends it all the same; the limit is advisory"),
      Request("MAX_HEADER_LIST_SIZE 16000", 16000, ok),
  };
}

}  // namespace predial
