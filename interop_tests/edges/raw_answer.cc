#include "interop_tests/edges/raw_answer.h"

#include "absl/strings/str_cat.h"
#include "plugin/testing/scripted_stream.h"
#include "proto/echo.pb.h"

namespace predial {

HeaderList GoodHeaders() { return {{":status", "200"}, {"content-type", "application/grpc"}}; }

Step RawHeaders(const HeaderList& headers, bool end) {
  return Step::Frame(Http2FrameType::kHeaders,
                     kFlagEndHeaders | (end ? kFlagEndStream : uint8_t{0}), EncodeHeaders(headers));
}

Step RawData(absl::string_view payload, uint8_t flags) {
  return Step::Frame(Http2FrameType::kData, flags, payload);
}

std::string GoodMessage() {
  echo::v1::EchoResponse response;
  response.set_message("edge");
  return EncodeMessage(response.SerializeAsString());
}

std::string Padded(absl::string_view payload, int bytes) {
  return absl::StrCat(std::string(1, static_cast<char>(bytes)), payload, std::string(bytes, '\0'));
}

}  // namespace predial
