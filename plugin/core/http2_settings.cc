#include "plugin/core/http2_settings.h"

#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace predial {
namespace {

// RFC 9113: the frame header is section 4.1, SETTINGS is section 6.5.
constexpr size_t kHeaderBytes = 9;
constexpr size_t kSettingBytes = 6;
constexpr size_t kPayloadBytesMax = 16384;  // SETTINGS_MAX_FRAME_SIZE before anybody changed it
constexpr uint8_t kTypeSettings = 4;
constexpr uint8_t kTypeMax = 9;  // CONTINUATION, the last that HTTP/2 itself defines
constexpr uint8_t kFlagAck = 1;
constexpr uint16_t kMaxConcurrentStreams = 3;

constexpr size_t kDescriptionTextMax = 40;

uint32_t ReadBigEndian(absl::string_view bytes) {
  uint32_t value = 0;
  for (char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

// The first line, escaped and cut; not empty if `bytes` are not.
std::string Printable(absl::string_view bytes) {
  std::string text;
  for (char byte : bytes.substr(0, bytes.find_first_of("\r\n", 1))) {
    const std::string next = absl::CHexEscape(absl::string_view(&byte, 1));
    if (text.size() + next.size() > kDescriptionTextMax) return text + "…";
    text += next;
  }
  return text;
}

ServerPreface Other(std::string description) {
  ServerPreface preface;
  preface.kind = ServerPreface::Kind::kOther;
  preface.description = std::move(description);
  return preface;
}

// RFC 8446 section 5.1: type, version 3.x, length.
bool IsTls(absl::string_view bytes) {
  return bytes.size() >= 2 && bytes[0] >= 20 && bytes[0] <= 23 && bytes[1] == 3;
}

std::string Describe(absl::string_view bytes) {
  if (IsTls(bytes)) {
    return absl::StrCat("a TLS ", bytes[0] == 21 ? "alert" : "record", ": ", Printable(bytes));
  }
  return Printable(bytes);
}

}  // namespace

ServerPreface ParseServerPreface(absl::string_view bytes) {
  // Each field is judged as soon as it is there: what can no longer become a SETTINGS frame must
  // not be waited for. The highest bit of the length comes first, so text is told from its first
  // byte.
  const absl::string_view length_bytes = bytes.substr(0, 3);
  const uint32_t length = ReadBigEndian(length_bytes) << (8 * (3 - length_bytes.size()));
  if (length > kPayloadBytesMax) return Other(Describe(bytes));
  if (bytes.size() >= 4 && bytes[3] != kTypeSettings) {
    const auto type = static_cast<uint8_t>(bytes[3]);
    if (bytes.size() < kHeaderBytes || type > kTypeMax) return Other(Describe(bytes));
    return Other(absl::StrCat("an HTTP/2 frame of type ", type, " before SETTINGS"));
  }
  if (bytes.size() >= 4 && length % kSettingBytes != 0) {
    return Other(absl::StrCat("an HTTP/2 SETTINGS frame with a length of ", length));
  }
  if (bytes.size() >= 5 && (bytes[4] & kFlagAck) != 0) {
    return Other("an HTTP/2 SETTINGS frame with the ACK flag");
  }
  if (bytes.size() > 5) {
    absl::string_view stream_bytes = bytes.substr(5, 4);
    const uint32_t stream = ReadBigEndian(stream_bytes) << (8 * (4 - stream_bytes.size()));
    if ((stream & 0x7fffffff) != 0) return Other("an HTTP/2 SETTINGS frame on a stream");
  }
  if (bytes.size() < kHeaderBytes + length) return {};

  ServerPreface preface;
  preface.kind = ServerPreface::Kind::kHttp2;
  for (size_t at = kHeaderBytes; at < kHeaderBytes + length; at += kSettingBytes) {
    // Settings take effect in their order, so the last one counts.
    if (ReadBigEndian(bytes.substr(at, 2)) == kMaxConcurrentStreams) {
      preface.max_concurrent_streams = ReadBigEndian(bytes.substr(at + 2, 4));
    }
  }
  return preface;
}

}  // namespace predial
