#include "plugin/metrics/label_text.h"

#include "gtest/gtest.h"

namespace predial {
namespace {

TEST(LabelTextTest, Utf8StaysAsItIs) {
  for (const char* text : {"", "dns:///orders:50051", "a \"b\" \\c", "\xc3\xa4", "\xe2\x82\xac",
                           "\xf0\x9f\x99\x82!", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"}) {
    EXPECT_TRUE(IsLabelText(text)) << text;
    EXPECT_EQ(LabelText(text), text);
  }
}

TEST(LabelTextTest, ControlCharactersAreReplaced) {
  EXPECT_EQ(LabelText("a\nb\tc\x7f"), "a?b?c?");
  EXPECT_EQ(LabelText(absl::string_view("unix-abstract:\0x", 16)), "unix-abstract:?x");
}

TEST(LabelTextTest, WhatIsNotUtf8IsReplaced) {
  EXPECT_EQ(LabelText("\xff"), "?");                 // no such byte
  EXPECT_EQ(LabelText("a\x80"), "a?");               // a continuation of nothing
  EXPECT_EQ(LabelText("\xc3"), "?");                 // cut short
  EXPECT_EQ(LabelText("\xe2\x82"), "??");            // cut short
  EXPECT_EQ(LabelText("\xf0\x9f\x99"), "???");       // cut short
  EXPECT_EQ(LabelText("\xc0\x80"), "??");            // overlong
  EXPECT_EQ(LabelText("\xe0\x80\x80"), "???");       // overlong
  EXPECT_EQ(LabelText("\xf0\x80\x80\x80"), "????");  // overlong
  EXPECT_EQ(LabelText("\xed\xa0\x80"), "???");       // a surrogate
  EXPECT_EQ(LabelText("\xf4\x90\x80\x80"), "????");  // above U+10FFFF
  EXPECT_EQ(LabelText("\xc3\xa4\xff"), "???");
}

}  // namespace
}  // namespace predial
