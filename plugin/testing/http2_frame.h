// Http2Frame: HTTP/2's frames (RFC 9113 sections 4 and 6), as bytes. Nothing is checked that is
// sent: a test may want it wrong.
//
// Threads: thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace predial {

enum class Http2FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

// Flags; two of them share a bit.
inline constexpr uint8_t kFlagEndStream = 0x1;
inline constexpr uint8_t kFlagAck = 0x1;
inline constexpr uint8_t kFlagEndHeaders = 0x4;
inline constexpr uint8_t kFlagPadded = 0x8;
inline constexpr uint8_t kFlagPriority = 0x20;

// RFC 9113 section 7.
enum class Http2Error : uint32_t {
  kNoError = 0,
  kProtocolError = 1,
  kInternalError = 2,
  kFlowControlError = 3,
  kSettingsTimeout = 4,
  kStreamClosed = 5,
  kFrameSizeError = 6,
  kRefusedStream = 7,
  kCancel = 8,
  kCompressionError = 9,
  kConnectError = 10,
  kEnhanceYourCalm = 11,
  kInadequateSecurity = 12,
  kHttp11Required = 13,
};

// Identifiers of settings (RFC 9113 section 6.5.2).
inline constexpr uint16_t kSettingHeaderTableSize = 1;
inline constexpr uint16_t kSettingEnablePush = 2;
inline constexpr uint16_t kSettingMaxConcurrentStreams = 3;
inline constexpr uint16_t kSettingInitialWindowSize = 4;
inline constexpr uint16_t kSettingMaxFrameSize = 5;
inline constexpr uint16_t kSettingMaxHeaderListSize = 6;

// What a connection's client says first.
inline constexpr absl::string_view kHttp2ClientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct Http2Frame {
  Http2FrameType type = Http2FrameType::kData;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;

  bool has(uint8_t flag) const { return (flags & flag) != 0; }
  // Without padding and priority, of DATA and HEADERS. Empty if they do not fit into the payload.
  absl::string_view content() const;
};

using Http2Settings = std::vector<std::pair<uint16_t, uint32_t>>;

std::string EncodeFrame(Http2FrameType type, uint8_t flags, uint32_t stream,
                        absl::string_view payload);
std::string EncodeSettings(const Http2Settings& settings);
std::string EncodeReset(uint32_t stream, Http2Error error);
std::string EncodeGoAway(uint32_t last_stream, Http2Error error, absl::string_view debug);
std::string EncodeWindowUpdate(uint32_t stream, uint32_t bytes);

// Big-endian; 0 if `bytes` has no four at `at`.
uint32_t ReadUint32(absl::string_view bytes, size_t at = 0);

// Cuts a stream of bytes into frames.
class Http2FrameReader {
 public:
  void Append(absl::string_view bytes) { buffer_.append(bytes.data(), bytes.size()); }
  // Takes `prefix` off the front. False while fewer bytes have come; nothing is taken then, nor if
  // something else has.
  bool Take(absl::string_view prefix);
  // Whether what has come so far is, or may become, `prefix`.
  bool StartsLike(absl::string_view prefix) const;
  // The next whole frame. Frames may be of any length that the header can state, 16 MiB.
  std::optional<Http2Frame> Next();

 private:
  std::string buffer_;
};

}  // namespace predial
