#include "plugin/core/http2_settings.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Kind = ServerPreface::Kind;

std::string BigEndian(uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string Header(uint32_t length, uint8_t type = 4, uint8_t flags = 0, uint32_t stream = 0) {
  return BigEndian(length, 3) + BigEndian(type, 1) + BigEndian(flags, 1) + BigEndian(stream, 4);
}

std::string Settings(const std::vector<std::pair<uint16_t, uint32_t>>& settings) {
  std::string frame = Header(settings.size() * 6);
  for (const auto& [id, value] : settings) frame += BigEndian(id, 2) + BigEndian(value, 4);
  return frame;
}

TEST(Http2SettingsTest, EmptyFrameHasNoLimit) {
  const ServerPreface preface = ParseServerPreface(Settings({}));
  EXPECT_EQ(preface.kind, Kind::kHttp2);
  EXPECT_EQ(preface.max_concurrent_streams, std::nullopt);
  EXPECT_EQ(preface.description, "");
}

TEST(Http2SettingsTest, FindsTheStreamLimit) {
  EXPECT_EQ(ParseServerPreface(Settings({{3, 100}})).max_concurrent_streams, 100u);
  EXPECT_EQ(ParseServerPreface(Settings({{3, 0}})).max_concurrent_streams, 0u);
  EXPECT_EQ(ParseServerPreface(Settings({{3, 0xffffffff}})).max_concurrent_streams, 0xffffffffu);
  EXPECT_EQ(
      ParseServerPreface(Settings({{1, 4096}, {0xfe03, 1}, {3, 7}, {6, 9}})).max_concurrent_streams,
      7u);
  EXPECT_EQ(ParseServerPreface(Settings({{4, 3}, {5, 3}})).max_concurrent_streams, std::nullopt);
}

TEST(Http2SettingsTest, TheLastOfTwoCounts) {
  EXPECT_EQ(ParseServerPreface(Settings({{3, 100}, {3, 5}})).max_concurrent_streams, 5u);
}

TEST(Http2SettingsTest, EveryPrefixIsIncomplete) {
  const std::string frame = Settings({{4, 65535}, {3, 100}, {0xfe03, 1}});
  for (size_t size = 0; size < frame.size(); ++size) {
    SCOPED_TRACE(size);
    const ServerPreface preface = ParseServerPreface(absl::string_view(frame).substr(0, size));
    EXPECT_EQ(preface.kind, Kind::kIncomplete);
    EXPECT_EQ(preface.max_concurrent_streams, std::nullopt);
    EXPECT_EQ(preface.description, "");
  }
  EXPECT_EQ(ParseServerPreface(frame).kind, Kind::kHttp2);
}

TEST(Http2SettingsTest, WhatFollowsTheFrameIsOfNoInterest) {
  const std::string frame = Settings({{3, 100}});
  EXPECT_EQ(ParseServerPreface(frame + Header(4, 8) + "junk").max_concurrent_streams, 100u);
  EXPECT_EQ(ParseServerPreface(frame + Settings({{3, 5}})).max_concurrent_streams, 100u);
}

TEST(Http2SettingsTest, TheLongestFrame) {
  const uint32_t length = 16380;
  const std::string frame = Header(length) + std::string(length, '\0');
  ASSERT_LE(frame.size(), static_cast<size_t>(kServerPrefaceBytesMax));
  EXPECT_EQ(ParseServerPreface(frame).kind, Kind::kHttp2);
  EXPECT_EQ(ParseServerPreface(frame.substr(0, frame.size() - 1)).kind, Kind::kIncomplete);
}

TEST(Http2SettingsTest, UndefinedFlagsAndTheReservedBitAreIgnored) {
  EXPECT_EQ(ParseServerPreface(Header(0, 4, 0xfe, 0x80000000)).kind, Kind::kHttp2);
}

struct OtherCase {
  std::string bytes;
  size_t enough;  // as many bytes decide it
  const char* description;
};

TEST(Http2SettingsTest, Others) {
  const OtherCase cases[] = {
      {"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", 1, "HTTP/1.1 400 Bad Request"},
      {"SSH-2.0-OpenSSH_9.2p1\r\n", 1, "SSH-2.0-OpenSSH_9.2p1"},
      {std::string("\x15\x03\x03\x00\x02\x02\x46", 7), 1,
       "a TLS alert: \\x15\\x03\\x03\\x00\\x02\\x02F"},
      {std::string("\x16\x03\x01\x00\x01", 5), 1, "a TLS record: \\x16\\x03\\x01\\x00\\x01"},
      {"\xff\xfe\"\x7f", 1, "\\xff\\xfe\\\"\\x7f"},
      {"\r\n", 1, "\\r"},
      {Header(16385), 3, "@"},
      {Header(0x010000), 1, "\\x01\\x00\\x00\\x04"},
      {Header(16384), 4, "a length of 16384"},
      {Header(5), 4, "an HTTP/2 SETTINGS frame with a length of 5"},
      {Header(0, 4, 1), 5, "with the ACK flag"},
      {Header(0, 4, 0, 1), 9, "on a stream"},
      {Header(0, 4, 0, 0x40000000), 6, "on a stream"},
      {Header(8, 7) + std::string(8, '\0'), 4, "an HTTP/2 frame of type 7 before SETTINGS"},
      {Header(8, 200), 4, "\\x08\\xc8"},
      {std::string("\0\0\0\0", 4), 4, "\\x00\\x00\\x00\\x00"},
  };
  for (const OtherCase& c : cases) {
    SCOPED_TRACE(c.description);
    for (size_t size = 0; size <= c.bytes.size(); ++size) {
      SCOPED_TRACE(size);
      const ServerPreface preface = ParseServerPreface(absl::string_view(c.bytes).substr(0, size));
      EXPECT_EQ(preface.kind, size < c.enough ? Kind::kIncomplete : Kind::kOther);
      EXPECT_EQ(preface.max_concurrent_streams, std::nullopt);
      if (size == c.bytes.size()) {
        EXPECT_THAT(preface.description, HasSubstr(c.description));
      }
    }
  }
}

TEST(Http2SettingsTest, DescriptionIsShortAndPrintable) {
  EXPECT_EQ(ParseServerPreface("HTTP/1.1 505 HTTP Version Not Supported here").description,
            "HTTP/1.1 505 HTTP Version Not Supported …");
  std::string all;
  for (int byte = 255; byte >= 0; --byte) all += static_cast<char>(byte);
  for (size_t start = 0; start < all.size(); ++start) {
    const std::string text = ParseServerPreface(all.substr(start)).description;
    EXPECT_LE(text.size(), 80u);
    for (char c : text.substr(0, text.find("…"))) {
      EXPECT_TRUE(c >= ' ' && c <= '~') << start << ": " << text;
    }
  }
  EXPECT_THAT(ParseServerPreface(all).description, StartsWith("\\xff\\xfe"));
}

// Any first byte of a frame's header replaced by any value: told apart, and never over-read.
TEST(Http2SettingsTest, EveryByteReplaced) {
  const std::string frame = Settings({{3, 100}});
  for (size_t at = 0; at < frame.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = frame;
      changed[at] = static_cast<char>(value);
      const ServerPreface preface = ParseServerPreface(changed);
      EXPECT_EQ(preface.kind == Kind::kOther,
                !preface.description.empty() || changed[0] == '\r' || changed[0] == '\n');
      if (at >= 9) {
        EXPECT_EQ(preface.kind, Kind::kHttp2);
      }
    }
  }
}

}  // namespace
}  // namespace predial
