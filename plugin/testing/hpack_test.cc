#include "plugin/testing/hpack.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "plugin/testing/huffman.h"

namespace predial {
namespace {

std::string Bytes(absl::string_view hex) { return absl::HexStringToBytes(hex); }

void ExpectDecodes(HpackDecoder& decoder, absl::string_view hex, const HeaderList& expected) {
  const auto headers = decoder.Decode(Bytes(hex));
  ASSERT_TRUE(headers.ok()) << headers.status();
  EXPECT_EQ(*headers, expected);
}

const HeaderList kFirst = {
    {":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "www.example.com"}};
const HeaderList kSecond = {{":method", "GET"},
                            {":scheme", "http"},
                            {":path", "/"},
                            {":authority", "www.example.com"},
                            {"cache-control", "no-cache"}};
const HeaderList kThird = {{":method", "GET"},
                           {":scheme", "https"},
                           {":path", "/index.html"},
                           {":authority", "www.example.com"},
                           {"custom-key", "custom-value"}};

// RFC 7541 appendix C.3.
TEST(HpackTest, RequestsWithoutHuffman) {
  HpackDecoder decoder;
  ExpectDecodes(decoder, "828684410f7777772e6578616d706c652e636f6d", kFirst);
  ExpectDecodes(decoder, "828684be58086e6f2d6361636865", kSecond);
  ExpectDecodes(decoder, "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", kThird);
}

// Appendix C.4.
TEST(HpackTest, RequestsWithHuffman) {
  HpackDecoder decoder;
  ExpectDecodes(decoder, "828684418cf1e3c2e5f23a6ba0ab90f4ff", kFirst);
  ExpectDecodes(decoder, "828684be5886a8eb10649cbf", kSecond);
  ExpectDecodes(decoder, "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", kThird);
}

// Appendix C.2.3, and a name from the table without an entry.
TEST(HpackTest, LiteralsThatAreNotIndexed) {
  HpackDecoder decoder;
  ExpectDecodes(decoder, "100870617373776f726406736563726574", {{"password", "secret"}});
  ExpectDecodes(decoder, "040c2f73616d706c652f70617468", {{":path", "/sample/path"}});
  EXPECT_FALSE(decoder.Decode(Bytes("be")).ok()) << "the table is empty";
}

TEST(HpackTest, TheTableShrinksAndForgets) {
  HpackDecoder decoder;
  ExpectDecodes(decoder, "400161016240016301644001650166", {{"a", "b"}, {"c", "d"}, {"e", "f"}});
  ExpectDecodes(decoder, "bebfc0", {{"e", "f"}, {"c", "d"}, {"a", "b"}});
  // 34 bytes each: 70 bytes have room for two.
  ExpectDecodes(decoder, "3f27be", {{"e", "f"}});
  ExpectDecodes(decoder, "bf", {{"c", "d"}});
  EXPECT_FALSE(decoder.Decode(Bytes("c0")).ok());
  // What is larger than the table empties it.
  const std::string large(100, 'x');
  ExpectDecodes(decoder, "40016164" + absl::BytesToHexString(large), {{"a", large}});
  EXPECT_FALSE(decoder.Decode(Bytes("be")).ok());
}

TEST(HpackTest, WhatIsEncodedIsDecoded) {
  HpackDecoder decoder;
  const HeaderList headers = {{":status", "200"},
                              {"empty", ""},
                              {"x", std::string(127, 'y')},
                              {"x", std::string(70000, 'z')}};
  const auto decoded = decoder.Decode(EncodeHeaders(headers));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, headers);
}

TEST(HpackTest, BrokenBlocksAreRefused) {
  for (const char* hex : {
           "80",                // entry 0
           "bf",                // an entry that is not there
           "ff",                // ends within an integer
           "ffffffffffffffff",  // too large an integer
           "40",                // ends before the name
           "4001",              // within the name
           "400161",            // before the value
           "4001610562",        // within the value
           "3fe21f",            // a table of 4097 bytes
           "4001618100",        // a value in Huffman code that is padded with zeros
       }) {
    HpackDecoder decoder;
    const auto headers = decoder.Decode(Bytes(hex));
    EXPECT_EQ(headers.status().code(), absl::StatusCode::kInvalidArgument) << hex;
  }
}

TEST(HuffmanTest, EveryByteHasItsCode) {
  // From appendix B: the shortest, one of each sort, the longest.
  const struct {
    const char* hex;
    absl::string_view text;
  } cases[] = {
      {"", ""},           {"07", "0"},          {"1f", "a"},
      {"53", " "},        {"fe3f", "!"},        {"ffc7", absl::string_view("\0", 1)},
      {"fffffff3", "\n"}, {"fffffbbf", "\xff"},
  };
  for (const auto& [hex, text] : cases) {
    const auto decoded = DecodeHuffman(Bytes(hex));
    ASSERT_TRUE(decoded.ok()) << hex << decoded.status();
    EXPECT_EQ(*decoded, text) << hex;
  }
}

TEST(HuffmanTest, OnlyOnesPad) {
  EXPECT_FALSE(DecodeHuffman(Bytes("1fff")).ok()) << "a whole byte of padding";
  EXPECT_FALSE(DecodeHuffman(Bytes("06")).ok()) << "a zero";
  EXPECT_FALSE(DecodeHuffman(Bytes("ffffffff")).ok()) << "the end of a string";
}

}  // namespace
}  // namespace predial
