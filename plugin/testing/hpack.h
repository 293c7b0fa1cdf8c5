// HPACK (RFC 7541), as much of it as a test's server needs: all of decoding, and the plainest
// encoding there is, literals that go into no table.
//
// Threads: thread-compatible.
// Errors:  a block that breaks the RFC's rules is INVALID_ARGUMENT; the connection's table is then
//          out of step, so nothing that comes after it on that connection can be read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace predial {

// Names and values in their order on the wire; a name may come more than once.
using HeaderList = std::vector<std::pair<std::string, std::string>>;

// A header block without Huffman coding that depends on no table.
std::string EncodeHeaders(const HeaderList& headers);

// Of one direction of one connection: every header block that comes has to go through it.
class HpackDecoder {
 public:
  // What a peer may fill the table to: SETTINGS_HEADER_TABLE_SIZE's initial value.
  static constexpr size_t kTableBytesMax = 4096;

  absl::StatusOr<HeaderList> Decode(absl::string_view block);

 private:
  absl::StatusOr<std::pair<std::string, std::string>> Entry(uint64_t index) const;
  absl::Status DecodeField(absl::string_view& block, HeaderList& headers);
  void Add(std::pair<std::string, std::string> entry);
  void Shrink(size_t bytes_max);

  std::deque<std::pair<std::string, std::string>> table_;  // the newest first
  size_t table_bytes_ = 0;
  size_t table_bytes_max_ = kTableBytesMax;
};

}  // namespace predial
