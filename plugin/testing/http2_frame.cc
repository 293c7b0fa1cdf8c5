#include "plugin/testing/http2_frame.h"

#include <algorithm>

namespace predial {
namespace {

constexpr size_t kHeaderBytes = 9;
constexpr size_t kPriorityBytes = 5;

void AppendNumber(std::string& out, uint64_t number, int bytes) {
  while (--bytes >= 0) out.push_back(static_cast<char>(number >> (8 * bytes)));
}

}  // namespace

absl::string_view Http2Frame::content() const {
  absl::string_view content = payload;
  size_t padding = 0;
  if (has(kFlagPadded)) {
    if (content.empty()) return {};
    padding = static_cast<uint8_t>(content[0]);
    content.remove_prefix(1);
  }
  if (type == Http2FrameType::kHeaders && has(kFlagPriority)) {
    content.remove_prefix(std::min(kPriorityBytes, content.size()));
  }
  content.remove_suffix(std::min(padding, content.size()));
  return content;
}

std::string EncodeFrame(Http2FrameType type, uint8_t flags, uint32_t stream,
                        absl::string_view payload) {
  std::string frame;
  AppendNumber(frame, payload.size(), 3);
  AppendNumber(frame, static_cast<uint8_t>(type), 1);
  AppendNumber(frame, flags, 1);
  AppendNumber(frame, stream, 4);
  frame.append(payload.data(), payload.size());
  return frame;
}

std::string EncodeSettings(const Http2Settings& settings) {
  std::string payload;
  for (const auto& [id, value] : settings) {
    AppendNumber(payload, id, 2);
    AppendNumber(payload, value, 4);
  }
  return EncodeFrame(Http2FrameType::kSettings, 0, 0, payload);
}

std::string EncodeReset(uint32_t stream, Http2Error error) {
  std::string payload;
  AppendNumber(payload, static_cast<uint32_t>(error), 4);
  return EncodeFrame(Http2FrameType::kRstStream, 0, stream, payload);
}

std::string EncodeGoAway(uint32_t last_stream, Http2Error error, absl::string_view debug) {
  std::string payload;
  AppendNumber(payload, last_stream, 4);
  AppendNumber(payload, static_cast<uint32_t>(error), 4);
  payload.append(debug.data(), debug.size());
  return EncodeFrame(Http2FrameType::kGoAway, 0, 0, payload);
}

std::string EncodeWindowUpdate(uint32_t stream, uint32_t bytes) {
  std::string payload;
  AppendNumber(payload, bytes, 4);
  return EncodeFrame(Http2FrameType::kWindowUpdate, 0, stream, payload);
}

uint32_t ReadUint32(absl::string_view bytes, size_t at) {
  if (bytes.size() < at + 4) return 0;
  uint32_t number = 0;
  for (size_t i = at; i < at + 4; ++i) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

bool Http2FrameReader::Take(absl::string_view prefix) {
  if (buffer_.size() < prefix.size() || !StartsLike(prefix)) return false;
  buffer_.erase(0, prefix.size());
  return true;
}

bool Http2FrameReader::StartsLike(absl::string_view prefix) const {
  const size_t size = std::min(buffer_.size(), prefix.size());
  return absl::string_view(buffer_).substr(0, size) == prefix.substr(0, size);
}

std::optional<Http2Frame> Http2FrameReader::Next() {
  if (buffer_.size() < kHeaderBytes) return std::nullopt;
  const size_t size = ReadUint32(buffer_) >> 8;
  if (buffer_.size() < kHeaderBytes + size) return std::nullopt;
  Http2Frame frame;
  frame.type = static_cast<Http2FrameType>(buffer_[3]);
  frame.flags = static_cast<uint8_t>(buffer_[4]);
  frame.stream = ReadUint32(buffer_, 5) & 0x7fffffff;
  frame.payload = buffer_.substr(kHeaderBytes, size);
  buffer_.erase(0, kHeaderBytes + size);
  return frame;
}

}  // namespace predial
