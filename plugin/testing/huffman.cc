#include "plugin/testing/huffman.h"

#include <array>
#include <cstdint>
#include <vector>

namespace predial {
namespace {

constexpr int kSymbols = 257;  // all bytes, and the end of a string
constexpr int kEndOfString = 256;
constexpr int kBitsMax = 30;

// How many bits each symbol takes. The code is canonical: in the order of length, then of symbol,
// each code is the next number. So the lengths say it all.
constexpr std::array<uint8_t, kSymbols> kBits = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,
    5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10, 13, 6,  7,  7,  7,  7,  7,  7,
    7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8,  13, 19, 13, 14, 6,
    15, 5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,  5,  6,  7,  7,
    7,  7,  7,  15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
};

// The code is complete: every sequence of bits can be read.
constexpr uint64_t CodeSpace() {
  uint64_t space = 0;
  for (const uint8_t bits : kBits) space += uint64_t{1} << (kBitsMax - bits);
  return space;
}
static_assert(CodeSpace() == uint64_t{1} << kBitsMax);

struct Length {
  uint32_t first_code = 0;
  std::vector<int> symbols;  // in the order of their codes
};

std::array<Length, kBitsMax + 1> MakeLengths() {
  std::array<Length, kBitsMax + 1> lengths;
  for (int symbol = 0; symbol < kSymbols; ++symbol)
    lengths[kBits[symbol]].symbols.push_back(symbol);
  uint32_t code = 0;
  for (Length& length : lengths) {
    code <<= 1;
    length.first_code = code;
    code += length.symbols.size();
  }
  return lengths;
}

}  // namespace

absl::StatusOr<std::string> DecodeHuffman(absl::string_view bytes) {
  static const auto& lengths = *new std::array<Length, kBitsMax + 1>(MakeLengths());
  std::string text;
  uint32_t code = 0;
  int bits = 0;
  for (size_t i = 0; i < 8 * bytes.size(); ++i) {
    code = code << 1 | (static_cast<uint8_t>(bytes[i / 8]) >> (7 - i % 8) & 1);
    const Length& length = lengths[++bits];
    // Codes of this length start below it; longer ones are above those that exist.
    if (code - length.first_code >= length.symbols.size()) continue;
    const int symbol = length.symbols[code - length.first_code];
    if (symbol == kEndOfString) return absl::InvalidArgumentError("Huffman: end of string");
    text.push_back(static_cast<char>(symbol));
    code = 0;
    bits = 0;
  }
  if (bits > 7 || code + 1 != uint32_t{1} << bits) {
    return absl::InvalidArgumentError("Huffman: not padded with ones");
  }
  return text;
}

}  // namespace predial
