#include "plugin/core/sizing.h"

#include <gtest/gtest.h>

namespace predial {
namespace {

using std::chrono::seconds;

constexpr Time kStart = Time() + std::chrono::hours(1);

Sizing Make() {
  SizingPolicy policy;
  policy.min = 2;
  policy.max = 8;
  policy.streams_target = 10;
  policy.idle_timeout = seconds(30);
  return Sizing(policy, kStart);
}

TEST(SizingTest, StartsAtTheMinimum) {
  const Sizing sizing = Make();
  EXPECT_EQ(sizing.wanted(), 2);
  EXPECT_EQ(sizing.Kept(kStart), 2);
  EXPECT_EQ(sizing.NextShrink(kStart), Time::max());
}

TEST(SizingTest, GrowsAtOnceWithinItsBounds) {
  Sizing sizing = Make();
  sizing.OnLoad(kStart, 20, 0);
  EXPECT_EQ(sizing.wanted(), 2);
  sizing.OnLoad(kStart, 21, 0);
  EXPECT_EQ(sizing.wanted(), 3);
  sizing.OnLoad(kStart, 1000000, 0);
  EXPECT_EQ(sizing.wanted(), 8);
  sizing.OnLoad(kStart, 0, 0);
  EXPECT_EQ(sizing.wanted(), 2);
}

TEST(SizingTest, APeersStreamLimitMakesItGrowSooner) {
  Sizing sizing = Make();
  sizing.OnLoad(kStart, 20, 5);  // 4 of 5 streams used per member
  EXPECT_EQ(sizing.wanted(), 5);
  EXPECT_EQ(sizing.StreamsPerMember(1), 1);
  EXPECT_EQ(sizing.StreamsPerMember(100), 10);
  EXPECT_EQ(sizing.StreamsPerMember(0xFFFFFFFF), 10);
}

TEST(SizingTest, AStreamLimitOfOnesOwnMakesItGrowSoonerToo) {
  SizingPolicy policy;
  policy.streams_target = 10;
  policy.streams_max = 5;
  const Sizing sizing(policy, kStart);
  EXPECT_EQ(sizing.StreamsPerMember(0), 4);
  EXPECT_EQ(sizing.StreamsPerMember(100), 4);
  EXPECT_EQ(sizing.StreamsPerMember(2), 1);
  policy.streams_max = 1;
  EXPECT_EQ(Sizing(policy, kStart).StreamsPerMember(0), 1);
}

TEST(SizingTest, KeepsIdleMembersBeyondThoseInUse) {
  SizingPolicy policy;
  policy.min = 1;
  policy.max = 8;
  policy.streams_target = 1;
  policy.idle_min = 3;
  policy.idle_timeout = seconds(30);
  Sizing sizing(policy, kStart);
  EXPECT_EQ(sizing.wanted(), 3);
  sizing.OnLoad(kStart, 0, 0);
  EXPECT_EQ(sizing.wanted(), 3);
  sizing.OnLoad(kStart, 2, 0);
  EXPECT_EQ(sizing.wanted(), 5);
  sizing.OnLoad(kStart, 7, 0);
  EXPECT_EQ(sizing.wanted(), 8);
  sizing.OnLoad(kStart + seconds(31), 0, 0);
  EXPECT_EQ(sizing.wanted(), 3);
  EXPECT_EQ(sizing.Kept(kStart + seconds(31)), 3);
}

TEST(SizingTest, ShrinksEachMemberOnceUnneededForTheIdleTimeout) {
  Sizing sizing = Make();
  sizing.OnLoad(kStart, 50, 0);                // 5
  sizing.OnLoad(kStart + seconds(10), 30, 0);  // 3
  sizing.OnLoad(kStart + seconds(20), 0, 0);   // 2
  EXPECT_EQ(sizing.Kept(kStart + seconds(29)), 5);
  EXPECT_EQ(sizing.NextShrink(kStart + seconds(29)), kStart + seconds(30));
  EXPECT_EQ(sizing.Kept(kStart + seconds(30)), 3);
  EXPECT_EQ(sizing.NextShrink(kStart + seconds(30)), kStart + seconds(40));
  EXPECT_EQ(sizing.Kept(kStart + seconds(40)), 2);
  EXPECT_EQ(sizing.NextShrink(kStart + seconds(40)), Time::max());
}

TEST(SizingTest, LoadThatReturnsKeepsItsMembers) {
  Sizing sizing = Make();
  for (int i = 0; i < 10; ++i) {
    sizing.OnLoad(kStart + seconds(20 * i), 50, 0);
    sizing.OnLoad(kStart + seconds(20 * i + 1), 0, 0);
    EXPECT_EQ(sizing.Kept(kStart + seconds(20 * i + 19)), 5);
  }
}

}  // namespace
}  // namespace predial
