// HPACK's Huffman code (RFC 7541 appendix B), decoding only.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace predial {

// INVALID_ARGUMENT if `bytes` holds the end-of-string symbol, or ends otherwise than section 5.2
// has it: in less than a byte of ones. Thread-safe.
absl::StatusOr<std::string> DecodeHuffman(absl::string_view bytes);

}  // namespace predial
