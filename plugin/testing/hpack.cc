#include "plugin/testing/hpack.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "plugin/testing/huffman.h"

namespace predial {
namespace {

using Field = std::pair<std::string, std::string>;

// RFC 7541 appendix A.
constexpr std::array<std::pair<const char*, const char*>, 61> kStaticTable = {{
    {":authority", ""},
    {":method", "GET"},
    {":method", "POST"},
    {":path", "/"},
    {":path", "/index.html"},
    {":scheme", "http"},
    {":scheme", "https"},
    {":status", "200"},
    {":status", "204"},
    {":status", "206"},
    {":status", "304"},
    {":status", "400"},
    {":status", "404"},
    {":status", "500"},
    {"accept-charset", ""},
    {"accept-encoding", "gzip, deflate"},
    {"accept-language", ""},
    {"accept-ranges", ""},
    {"accept", ""},
    {"access-control-allow-origin", ""},
    {"age", ""},
    {"allow", ""},
    {"authorization", ""},
    {"cache-control", ""},
    {"content-disposition", ""},
    {"content-encoding", ""},
    {"content-language", ""},
    {"content-length", ""},
    {"content-location", ""},
    {"content-range", ""},
    {"content-type", ""},
    {"cookie", ""},
    {"date", ""},
    {"etag", ""},
    {"expect", ""},
    {"expires", ""},
    {"from", ""},
    {"host", ""},
    {"if-match", ""},
    {"if-modified-since", ""},
    {"if-none-match", ""},
    {"if-range", ""},
    {"if-unmodified-since", ""},
    {"last-modified", ""},
    {"link", ""},
    {"location", ""},
    {"max-forwards", ""},
    {"proxy-authenticate", ""},
    {"proxy-authorization", ""},
    {"range", ""},
    {"referer", ""},
    {"refresh", ""},
    {"retry-after", ""},
    {"server", ""},
    {"set-cookie", ""},
    {"strict-transport-security", ""},
    {"transfer-encoding", ""},
    {"user-agent", ""},
    {"vary", ""},
    {"via", ""},
    {"www-authenticate", ""},
}};

// An entry's size (RFC 7541 section 4.1).
size_t Bytes(const Field& field) { return field.first.size() + field.second.size() + 32; }

// Takes an integer with a prefix of `bits` bits off the front (RFC 7541 section 5.1). One that does
// not fit into 32 bits is refused, as is a representation with needless zeros beyond that.
absl::StatusOr<uint64_t> TakeInteger(absl::string_view& block, int bits) {
  if (block.empty()) return absl::InvalidArgumentError("the block ends before an integer");
  const uint64_t prefix_max = (1u << bits) - 1;
  uint64_t value = static_cast<uint8_t>(block[0]) & prefix_max;
  block.remove_prefix(1);
  if (value < prefix_max) return value;
  for (int shift = 0; shift <= 28; shift += 7) {
    if (block.empty()) return absl::InvalidArgumentError("the block ends within an integer");
    const uint8_t byte = block[0];
    block.remove_prefix(1);
    value += static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return absl::InvalidArgumentError("an integer is too large");
}

// Section 5.2.
absl::StatusOr<std::string> TakeString(absl::string_view& block) {
  const bool huffman = !block.empty() && (block[0] & 0x80) != 0;
  const auto size = TakeInteger(block, 7);
  if (!size.ok()) return size.status();
  if (*size > block.size()) return absl::InvalidArgumentError("the block ends within a string");
  const absl::string_view bytes = block.substr(0, *size);
  block.remove_prefix(*size);
  if (huffman) return DecodeHuffman(bytes);
  return std::string(bytes);
}

void AppendInteger(std::string& out, uint64_t value, int bits, uint8_t pattern) {
  const uint64_t prefix_max = (1u << bits) - 1;
  if (value < prefix_max) {
    out.push_back(static_cast<char>(pattern | value));
    return;
  }
  out.push_back(static_cast<char>(pattern | prefix_max));
  for (value -= prefix_max; value >= 0x80; value >>= 7) {
    out.push_back(static_cast<char>(0x80 | (value & 0x7f)));
  }
  out.push_back(static_cast<char>(value));
}

}  // namespace

std::string EncodeHeaders(const HeaderList& headers) {
  std::string block;
  for (const auto& [name, value] : headers) {
    block.push_back('\0');  // literal without indexing, new name (section 6.2.2)
    AppendInteger(block, name.size(), 7, 0);
    block += name;
    AppendInteger(block, value.size(), 7, 0);
    block += value;
  }
  return block;
}

absl::StatusOr<HeaderList> HpackDecoder::Decode(absl::string_view block) {
  HeaderList headers;
  while (!block.empty()) {
    const absl::Status status = DecodeField(block, headers);
    if (!status.ok()) return status;
  }
  return headers;
}

// One representation of section 6.
absl::Status HpackDecoder::DecodeField(absl::string_view& block, HeaderList& headers) {
  const uint8_t first = block[0];
  if ((first & 0x80) != 0) {  // indexed
    const auto index = TakeInteger(block, 7);
    if (!index.ok()) return index.status();
    auto entry = Entry(*index);
    if (!entry.ok()) return entry.status();
    headers.push_back(*std::move(entry));
    return absl::OkStatus();
  }
  if ((first & 0xe0) == 0x20) {  // the table's size
    const auto bytes = TakeInteger(block, 5);
    if (!bytes.ok()) return bytes.status();
    if (*bytes > kTableBytesMax) return absl::InvalidArgumentError("too large a table");
    table_bytes_max_ = *bytes;
    Shrink(table_bytes_max_);
    return absl::OkStatus();
  }
  const bool add = (first & 0xc0) == 0x40;  // literal with incremental indexing
  const auto index = TakeInteger(block, add ? 6 : 4);
  if (!index.ok()) return index.status();
  Field field;
  if (*index == 0) {
    auto name = TakeString(block);
    if (!name.ok()) return name.status();
    field.first = *std::move(name);
  } else {
    auto entry = Entry(*index);
    if (!entry.ok()) return entry.status();
    field.first = std::move(entry->first);
  }
  auto value = TakeString(block);
  if (!value.ok()) return value.status();
  field.second = *std::move(value);
  headers.push_back(field);
  if (add) Add(std::move(field));
  return absl::OkStatus();
}

absl::StatusOr<Field> HpackDecoder::Entry(uint64_t index) const {
  if (index == 0 || index > kStaticTable.size() + table_.size()) {
    return absl::InvalidArgumentError(absl::StrCat("no table entry ", index));
  }
  if (index <= kStaticTable.size()) {
    const auto& [name, value] = kStaticTable[index - 1];
    return Field(name, value);
  }
  return table_[index - 1 - kStaticTable.size()];
}

void HpackDecoder::Add(Field entry) {
  const size_t bytes = Bytes(entry);
  // An entry larger than the table empties it, and is not in it (section 4.4).
  Shrink(bytes > table_bytes_max_ ? 0 : table_bytes_max_ - bytes);
  if (bytes > table_bytes_max_) return;
  table_bytes_ += bytes;
  table_.push_front(std::move(entry));
}

void HpackDecoder::Shrink(size_t bytes_max) {
  while (table_bytes_ > bytes_max) {
    table_bytes_ -= Bytes(table_.back());
    table_.pop_back();
  }
}

}  // namespace predial
