#include "plugin/metrics/label_text.h"

#include <cstddef>
#include <cstdint>

namespace predial {
namespace {

bool IsPrintableAscii(char c) { return c >= 0x20 && c < 0x7f; }

// The length of the UTF-8 character at the start of `text`; 0 if it is none, or a control character
// of ASCII. The ranges are those of RFC 3629, section 4.
size_t CharacterLength(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto in = [&](size_t i, uint8_t low, uint8_t high) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  if (IsPrintableAscii(text[0])) return 1;
  const uint8_t first = byte(0);
  if (first >= 0xc2 && first <= 0xdf) return in(1, 0x80, 0xbf) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const uint8_t low = first == 0xe0 ? 0xa0 : 0x80;   // no overlong forms
    const uint8_t high = first == 0xed ? 0x9f : 0xbf;  // no surrogates
    return in(1, low, high) && in(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const uint8_t low = first == 0xf0 ? 0x90 : 0x80;   // no overlong forms
    const uint8_t high = first == 0xf4 ? 0x8f : 0xbf;  // none above U+10FFFF
    return in(1, low, high) && in(2, 0x80, 0xbf) && in(3, 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool IsLabelText(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string LabelText(absl::string_view text) {
  std::string result(text);
  if (IsLabelText(text)) return result;
  for (char& c : result) {
    if (!IsPrintableAscii(c)) c = '?';
  }
  return result;
}

}  // namespace predial
