#include "plugin/testing/scripted_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace predial {
namespace {

constexpr size_t kPrefixBytes = 5;

const HeaderList& ResponseHeaders() {
  static const auto& headers =
      *new HeaderList{{":status", "200"}, {"content-type", "application/grpc"}};
  return headers;
}

void Append(HeaderList& headers, const HeaderList& more) {
  headers.insert(headers.end(), more.begin(), more.end());
}

// grpc-message is percent-encoded: gRPC's PROTOCOL-HTTP2.md, "Responses".
std::string PercentEncode(absl::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (c < 0x20 || c > 0x7e || c == '%') {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<uint8_t>(c));
    } else {
      encoded.push_back(c);
    }
  }
  return encoded;
}

}  // namespace

bool ScriptedStream::TakeMessage(std::string& message) {
  if (received.size() < kPrefixBytes) return false;
  const size_t size = ReadUint32(received, 1);
  if (received.size() - kPrefixBytes < size) return false;
  echo = received.substr(0, kPrefixBytes + size);
  message = echo.substr(kPrefixBytes);
  received.erase(0, kPrefixBytes + size);
  return true;
}

std::string EncodeMessage(absl::string_view message) {
  std::string encoded(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    encoded.push_back(static_cast<char>(message.size() >> shift));
  }
  return absl::StrCat(encoded, message);
}

HeaderList HeadersOf(const Step& step) {
  HeaderList headers = ResponseHeaders();
  Append(headers, step.metadata);
  return headers;
}

HeaderList TrailersOf(const Step& step, bool only) {
  HeaderList trailers;
  if (only) trailers = ResponseHeaders();
  trailers.emplace_back("grpc-status", absl::StrCat(step.number));
  if (!step.bytes.empty()) trailers.emplace_back("grpc-message", PercentEncode(step.bytes));
  Append(trailers, step.metadata);
  return trailers;
}

}  // namespace predial
