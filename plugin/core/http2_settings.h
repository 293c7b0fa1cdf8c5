// Reads a server's first bytes, which HTTP/2 wants to be a SETTINGS frame (RFC 9113 section 3.4),
// without consuming them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace predial {

struct ServerPreface {
  enum class Kind {
    kIncomplete,  // a prefix of a SETTINGS frame (or nothing yet): look again later
    kHttp2,       // a whole SETTINGS frame
    kOther,       // not HTTP/2
  };
  Kind kind = Kind::kIncomplete;

  // SETTINGS_MAX_CONCURRENT_STREAMS (id 3), if the frame has it. Without it there is no limit
  // (RFC 9113 section 6.5.2).
  std::optional<uint32_t> max_concurrent_streams;

  // kOther: what it seems to be instead, printable and short: `HTTP/1.1 400 Bad R…`.
  std::string description;
};

// No more than this much of the server's first bytes is ever needed.
inline constexpr int kServerPrefaceBytesMax = 9 + 16384;

ServerPreface ParseServerPreface(absl::string_view bytes);

}  // namespace predial
