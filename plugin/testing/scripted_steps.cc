// ScriptedConnection's other half: it does what the script says.
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "plugin/testing/scripted_connection.h"

namespace predial {
namespace {

// The largest frame that everybody has to take (RFC 9113 section 4.2).
constexpr int64_t kFrameBytesMax = 16384;

}  // namespace

void ScriptedConnection::RunSteps() {
  // Each round does at least one step, or part of one, or is the last.
  for (bool progress = true; progress && socket_.valid();) {
    progress = RunSome(steps_, nullptr);
    for (auto next = streams_.begin(); next != streams_.end() && socket_.valid();) {
      const auto stream = next++;
      progress |= RunSome(stream->second.steps, &stream->second);
      if (stream->second.answered && stream->second.steps.empty()) streams_.erase(stream);
    }
  }
}

bool ScriptedConnection::RunSome(std::deque<Step>& steps, ScriptedStream* stream) {
  bool progress = false;
  while (!steps.empty() && socket_.valid()) {
    const Step step = steps.front();
    if (Run(step, stream) == Progress::kBlocked) return progress;
    steps.pop_front();
    progress = true;
  }
  return progress;
}

ScriptedConnection::Progress ScriptedConnection::Run(const Step& step, ScriptedStream* stream) {
  switch (step.kind) {
    case Step::Kind::kHeaders:
    case Step::Kind::kMessage:
    case Step::Kind::kEcho:
    case Step::Kind::kTrailers:
    case Step::Kind::kEndStream:
    case Step::Kind::kReset:
      return stream == nullptr ? Progress::kDone : RunOnStream(step, *stream);
    case Step::Kind::kFrame:
      if (stream != nullptr) return RunOnStream(step, *stream);
      out_ += EncodeFrame(step.frame, step.flags, 0, step.bytes);
      return Progress::kDone;
    case Step::Kind::kGoAway:
      last_stream_ = std::min(last_stream_, LastStream(step.number, stream));
      out_ += EncodeGoAway(LastStream(step.number, stream), step.error, step.bytes);
      return Progress::kDone;
    case Step::Kind::kSettings:
      out_ += EncodeSettings(step.settings);
      return Progress::kDone;
    case Step::Kind::kPing:
      ++pings_;
      out_ += EncodeFrame(Http2FrameType::kPing, 0, 0, "predial!");
      return Progress::kDone;
    case Step::Kind::kPingAck:
      return ping_acks_ >= pings_ ? Progress::kDone : Progress::kBlocked;
    case Step::Kind::kGate:
      return server_.gate_is_open(static_cast<int>(step.number)) ? Progress::kDone
                                                                 : Progress::kBlocked;
    case Step::Kind::kBytes:
      out_ += step.bytes;
      return Progress::kDone;
    case Step::Kind::kHalfClose:
    case Step::Kind::kClose:
    case Step::Kind::kAbort:
      return RunOnSocket(step);
  }
  return Progress::kDone;
}

ScriptedConnection::Progress ScriptedConnection::RunOnStream(const Step& step,
                                                             ScriptedStream& stream) {
  switch (step.kind) {
    case Step::Kind::kHeaders:
      SendHeaders(stream, HeadersOf(step), /*end=*/false);
      stream.headers_sent = true;
      return Progress::kDone;
    case Step::Kind::kMessage:
      return SendMessage(EncodeMessage(step.bytes), stream);
    case Step::Kind::kEcho:
      return SendMessage(stream.echo.empty() ? EncodeMessage("") : stream.echo, stream);
    case Step::Kind::kTrailers:
      SendHeaders(stream, TrailersOf(step, /*only=*/!stream.headers_sent), /*end=*/true);
      stream.answered = true;
      return Progress::kDone;
    case Step::Kind::kEndStream:
      out_ += EncodeFrame(Http2FrameType::kData, kFlagEndStream, stream.id, "");
      stream.answered = true;
      return Progress::kDone;
    case Step::Kind::kReset:
      out_ += EncodeReset(stream.id, step.error);
      stream.answered = true;
      return Progress::kDone;
    case Step::Kind::kFrame:
      out_ += EncodeFrame(step.frame, step.flags, stream.id, step.bytes);
      if (step.frame == Http2FrameType::kHeaders) stream.headers_sent = true;
      if ((step.frame == Http2FrameType::kHeaders || step.frame == Http2FrameType::kData) &&
          (step.flags & kFlagEndStream) != 0) {
        stream.answered = true;
      }
      return Progress::kDone;
    default:
      return Progress::kDone;
  }
}

// They come after all that was said before.
ScriptedConnection::Progress ScriptedConnection::RunOnSocket(const Step& step) {
  if (!out_.empty()) return Progress::kBlocked;
  if (step.kind == Step::Kind::kHalfClose) {
    shutdown(socket_.get(), SHUT_WR);
    return Progress::kDone;
  }
  if (step.kind == Step::Kind::kAbort) {
    const linger reset = {1, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  Close();
  return Progress::kDone;
}

// As far as the windows allow: to be called again until it is done.
ScriptedConnection::Progress ScriptedConnection::SendMessage(const std::string& message,
                                                             ScriptedStream& stream) {
  if (stream.unsent.empty()) stream.unsent = message;
  while (!stream.unsent.empty()) {
    const int64_t size = std::min({send_window_, stream.send_window, kFrameBytesMax,
                                   static_cast<int64_t>(stream.unsent.size())});
    if (size <= 0) return Progress::kBlocked;
    out_ += EncodeFrame(Http2FrameType::kData, 0, stream.id, stream.unsent.substr(0, size));
    stream.unsent.erase(0, size);
    send_window_ -= size;
    stream.send_window -= size;
  }
  return Progress::kDone;
}

uint32_t ScriptedConnection::LastStream(uint32_t said, const ScriptedStream* stream) const {
  const uint32_t id = stream == nullptr ? newest_stream_ : stream->id;
  switch (said) {
    case kNewestStream:
      return newest_stream_;
    case kThisStream:
      return id;
    case kBeforeThisStream:
      return id < 2 ? 0 : id - 2;
    default:
      return said;
  }
}

void ScriptedConnection::SendHeaders(const ScriptedStream& stream, const HeaderList& headers,
                                     bool end) {
  const uint8_t flags = kFlagEndHeaders | (end ? kFlagEndStream : 0);
  out_ += EncodeFrame(Http2FrameType::kHeaders, flags, stream.id, EncodeHeaders(headers));
}

}  // namespace predial
