#include "plugin/testing/script.h"

#include <utility>

namespace predial {
namespace {

Step Plain(Step::Kind kind, uint32_t number = 0) {
  Step step{kind};
  step.number = number;
  return step;
}

}  // namespace

Step Step::Headers(HeaderList metadata) {
  Step step = Plain(Kind::kHeaders);
  step.metadata = std::move(metadata);
  return step;
}

Step Step::Message(absl::string_view bytes) {
  Step step = Plain(Kind::kMessage);
  step.bytes = std::string(bytes);
  return step;
}

Step Step::Echo() { return Plain(Kind::kEcho); }

Step Step::Trailers(int code, absl::string_view message, HeaderList metadata) {
  Step step = Plain(Kind::kTrailers, static_cast<uint32_t>(code));
  step.bytes = std::string(message);
  step.metadata = std::move(metadata);
  return step;
}

Step Step::EndStream() { return Plain(Kind::kEndStream); }

Step Step::Reset(Http2Error error) {
  Step step = Plain(Kind::kReset);
  step.error = error;
  return step;
}

Step Step::Frame(Http2FrameType type, uint8_t flags, absl::string_view payload) {
  Step step = Plain(Kind::kFrame);
  step.frame = type;
  step.flags = flags;
  step.bytes = std::string(payload);
  return step;
}

Step Step::GoAway(uint32_t last_stream, Http2Error error, absl::string_view debug) {
  Step step = Plain(Kind::kGoAway, last_stream);
  step.error = error;
  step.bytes = std::string(debug);
  return step;
}

Step Step::Settings(Http2Settings settings) {
  Step step = Plain(Kind::kSettings);
  step.settings = std::move(settings);
  return step;
}

Step Step::Ping() { return Plain(Kind::kPing); }
Step Step::AwaitPingAck() { return Plain(Kind::kPingAck); }
Step Step::AwaitGate(int gate) { return Plain(Kind::kGate, static_cast<uint32_t>(gate)); }

Step Step::Bytes(absl::string_view bytes) {
  Step step = Plain(Kind::kBytes);
  step.bytes = std::string(bytes);
  return step;
}

Step Step::HalfClose() { return Plain(Kind::kHalfClose); }
Step Step::Close() { return Plain(Kind::kClose); }
Step Step::Abort() { return Plain(Kind::kAbort); }

Steps GracefulGoAway(absl::string_view debug) {
  return {Step::GoAway(kAllStreams, Http2Error::kNoError, debug), Step::Ping(),
          Step::AwaitPingAck(), Step::GoAway(kNewestStream, Http2Error::kNoError, debug)};
}

}  // namespace predial
