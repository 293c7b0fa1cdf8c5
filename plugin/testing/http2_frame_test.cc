#include "plugin/testing/http2_frame.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace predial {
namespace {

TEST(Http2FrameTest, FramesAreCutWhereTheyEnd) {
  const std::string bytes =
      EncodeSettings({{kSettingMaxConcurrentStreams, 7}}) + EncodeReset(5, Http2Error::kCancel) +
      EncodeGoAway(0x7fffffff, Http2Error::kEnhanceYourCalm, "too_many_pings") +
      EncodeWindowUpdate(3, 65535);
  // However the bytes come.
  for (const size_t step : {size_t{1}, size_t{5}, bytes.size()}) {
    Http2FrameReader reader;
    std::vector<Http2Frame> frames;
    for (size_t at = 0; at < bytes.size(); at += step) {
      reader.Append(bytes.substr(at, step));
      while (auto frame = reader.Next()) frames.push_back(*std::move(frame));
    }
    ASSERT_EQ(frames.size(), 4u);
    EXPECT_EQ(frames[0].type, Http2FrameType::kSettings);
    EXPECT_EQ(frames[0].payload, std::string("\0\3\0\0\0\7", 6));
    EXPECT_EQ(frames[1].type, Http2FrameType::kRstStream);
    EXPECT_EQ(frames[1].stream, 5u);
    EXPECT_EQ(ReadUint32(frames[1].payload), 8u);
    EXPECT_EQ(frames[2].type, Http2FrameType::kGoAway);
    EXPECT_EQ(ReadUint32(frames[2].payload), 0x7fffffffu);
    EXPECT_EQ(ReadUint32(frames[2].payload, 4), 11u);
    EXPECT_EQ(frames[2].payload.substr(8), "too_many_pings");
    EXPECT_EQ(frames[3].type, Http2FrameType::kWindowUpdate);
    EXPECT_EQ(ReadUint32(frames[3].payload), 65535u);
  }
}

TEST(Http2FrameTest, TheLayoutIsThatOfTheRfc) {
  EXPECT_EQ(EncodeFrame(Http2FrameType::kPing, kFlagAck, 0, "12345678"),
            std::string("\0\0\x8\x6\x1\0\0\0\0", 9) + "12345678");
  EXPECT_EQ(EncodeFrame(Http2FrameType::kData, kFlagEndStream, 0x01020304, std::string(65536, 'x'))
                .substr(0, 9),
            std::string("\1\0\0\0\1\1\2\3\4", 9));
}

TEST(Http2FrameTest, ContentIsWithoutPaddingAndPriority) {
  Http2Frame frame;
  frame.type = Http2FrameType::kHeaders;
  frame.payload = std::string("\2pppppabc\0\0", 11);
  frame.flags = kFlagPadded | kFlagPriority;
  EXPECT_EQ(frame.content(), "abc");
  frame.flags = kFlagPriority;
  EXPECT_EQ(frame.content(), std::string("pabc\0\0", 6));
  frame.type = Http2FrameType::kData;  // has no priority
  frame.flags = kFlagPadded;
  EXPECT_EQ(frame.content(), "pppppabc");
  frame.payload = "\xff";  // more padding than there is
  EXPECT_EQ(frame.content(), "");
  frame.payload = "";
  EXPECT_EQ(frame.content(), "");
}

TEST(Http2FrameTest, ThePrefaceIsRecognisedFromItsFirstByte) {
  Http2FrameReader reader;
  EXPECT_TRUE(reader.StartsLike(kHttp2ClientPreface));
  reader.Append("PRI * HTTP");
  EXPECT_TRUE(reader.StartsLike(kHttp2ClientPreface));
  EXPECT_FALSE(reader.Take(kHttp2ClientPreface)) << "not all of it";
  reader.Append(kHttp2ClientPreface.substr(10));
  EXPECT_TRUE(reader.Take(kHttp2ClientPreface));
  reader.Append("GET / HTTP/1.1");
  EXPECT_FALSE(reader.StartsLike(kHttp2ClientPreface));
}

}  // namespace
}  // namespace predial
