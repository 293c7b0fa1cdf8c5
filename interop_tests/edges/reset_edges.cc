// Edges: RST_STREAM with every code of RFC 9113 section 7, at every stage. What a code means to
// gRPC is in PROTOCOL-HTTP2.md, "Errors".
#include "absl/strings/str_cat.h"
#include "interop_tests/edges/edge.h"
#include "interop_tests/edges/edge_stage.h"
#include "interop_tests/edges/edges.h"

namespace predial {
namespace {

using grpc::StatusCode;

struct Code {
  const char* name;
  Http2Error error;
  StatusCode status;
};
constexpr Code kCodes[] = {
    {"NO_ERROR", Http2Error::kNoError, StatusCode::INTERNAL},
    {"PROTOCOL_ERROR", Http2Error::kProtocolError, StatusCode::INTERNAL},
    {"INTERNAL_ERROR", Http2Error::kInternalError, StatusCode::INTERNAL},
    {"FLOW_CONTROL_ERROR", Http2Error::kFlowControlError, StatusCode::INTERNAL},
    {"SETTINGS_TIMEOUT", Http2Error::kSettingsTimeout, StatusCode::INTERNAL},
    {"STREAM_CLOSED", Http2Error::kStreamClosed, StatusCode::INTERNAL},
    {"FRAME_SIZE_ERROR", Http2Error::kFrameSizeError, StatusCode::INTERNAL},
    {"REFUSED_STREAM", Http2Error::kRefusedStream, StatusCode::UNAVAILABLE},
    {"CANCEL", Http2Error::kCancel, StatusCode::CANCELLED},
    {"COMPRESSION_ERROR", Http2Error::kCompressionError, StatusCode::INTERNAL},
    {"CONNECT_ERROR", Http2Error::kConnectError, StatusCode::INTERNAL},
    {"ENHANCE_YOUR_CALM", Http2Error::kEnhanceYourCalm, StatusCode::RESOURCE_EXHAUSTED},
    {"INADEQUATE_SECURITY", Http2Error::kInadequateSecurity, StatusCode::PERMISSION_DENIED},
    {"HTTP_1_1_REQUIRED", Http2Error::kHttp11Required, StatusCode::INTERNAL},
};

Edge Make(const Code& code, EdgeStage stage, EdgeCall call) {
  Edge edge;
  edge.section = "RST_STREAM";
  edge.what = absl::StrCat("RST_STREAM: ", code.name);
  edge.stage = NameOf(stage);
  edge.call = call;
  edge.reply = OnRequest(call, Join(Until(stage, call), {Step::Reset(code.error)}));
  edge.ordinary = {code.status, MessagesAt(stage, call)};
  edge.message = absl::StrCat("Received RST_STREAM with error code ", static_cast<int>(code.error));
  if (stage == EdgeStage::kAfterTrailers) {
    edge.ordinary.code = StatusCode::OK;
    edge.message.clear();
  }
  return edge;
}

}  // namespace

std::vector<Edge> ResetEdges() {
  std::vector<Edge> edges;
  for (const Code& code : kCodes) {
    for (const EdgeStage stage :
         {EdgeStage::kBeforeHeaders, EdgeStage::kAfterHeaders, EdgeStage::kAfterMessage,
          EdgeStage::kAfterLastMessage, EdgeStage::kAfterTrailers}) {
      for (const EdgeCall call :
           {EdgeCall::kUnary, EdgeCall::kServerStream, EdgeCall::kBidiStream}) {
        if (stage == EdgeStage::kAfterLastMessage && call == EdgeCall::kUnary) continue;
        edges.push_back(Make(code, stage, call));
      }
    }
  }
  return edges;
}

}  // namespace predial
