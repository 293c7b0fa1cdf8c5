#include "plugin/core/spread.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace predial {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// Members behind a balancer, which says where each new connection goes.
class SpreadTest : public testing::Test {
 protected:
  void Connect(const std::string& backend) {
    members_.push_back({MemberId{++last_id_}, "", now_, 0});
    Name(backend);
  }
  // The newest member's first answer.
  void Name(const std::string& backend) {
    members_.back().backend = backend;
    int named = 0;
    for (const auto& [name, count] : Counts()) named += count;
    spread_.OnNamed(now_, backend, members_.back().ready_since, Counts()[backend], named);
  }
  std::map<std::string, int> Counts() const {
    std::map<std::string, int> counts;
    for (const Spread::Held& member : members_) {
      if (!member.backend.empty()) ++counts[member.backend];
    }
    return counts;
  }
  // Asks, and does it: the new connection goes to `balance()`. False if there is nothing to do.
  bool Redial(const std::function<std::string()>& balance) {
    const auto next = spread_.Next(now_, members_);
    if (!next) return false;
    for (auto it = members_.begin(); it != members_.end(); ++it) {
      if (it->id != *next) continue;
      members_.erase(it);
      break;
    }
    now_ += std::chrono::milliseconds(1);
    Connect(balance());
    return true;
  }
  bool Redial(const std::string& to) {
    return Redial([&] { return to; });
  }
  // Re-dials within `time`, all of which go to the same backend.
  int RedialsWithin(Duration time, const std::string& to) {
    int redials = 0;
    for (const Time end = now_ + time; now_ < end; now_ += seconds(1)) redials += Redial(to);
    return redials;
  }
  using Map = std::map<std::string, int>;

  Time now_ = Time(hours(100));
  Spread spread_;
  std::vector<Spread::Held> members_;
  uint64_t last_id_ = 0;
};

TEST_F(SpreadTest, WhatIsEvenStays) {
  for (const char* backend : {"a", "b", "a", "b", "a"}) Connect(backend);
  EXPECT_FALSE(Redial("b"));
  now_ += hours(24);
  EXPECT_FALSE(Redial("b"));
}

TEST_F(SpreadTest, NamesAreNeeded) {
  members_ = {{MemberId{1}, "", now_, 0}, {MemberId{2}, "", now_, 0}};
  now_ += hours(1);
  EXPECT_FALSE(spread_.Next(now_, members_));
}

TEST_F(SpreadTest, DuplicatesMoveUntilItIsEven) {
  for (const char* backend : {"a", "a", "a", "a", "a", "b"}) Connect(backend);
  EXPECT_TRUE(Redial("b"));
  EXPECT_TRUE(Redial("b"));
  EXPECT_EQ(Counts(), (Map{{"a", 3}, {"b", 3}}));
  EXPECT_FALSE(Redial("b"));
}

TEST_F(SpreadTest, AllOnOneBackendLookForAnother) {
  Connect("a");
  EXPECT_FALSE(Redial("b"));  // one alone is no duplicate
  Connect("a");
  EXPECT_TRUE(Redial("b"));
  EXPECT_FALSE(Redial("c"));
}

TEST_F(SpreadTest, TheOneWithTheLeastToDoMoves) {
  for (int i = 0; i < 3; ++i) Connect("a");
  members_[0].in_flight = 5;
  members_[1].in_flight = 2;
  members_[2].in_flight = 3;
  EXPECT_EQ(spread_.Next(now_, members_), MemberId{2});
}

TEST_F(SpreadTest, OneAtATime) {
  for (int i = 0; i < 4; ++i) Connect("a");
  ASSERT_TRUE(spread_.Next(now_, members_));
  EXPECT_TRUE(spread_.trying());
  now_ += Spread::kPatience / 2;
  EXPECT_FALSE(spread_.Next(now_, members_));
  Connect("b");
  EXPECT_FALSE(spread_.trying());
  EXPECT_TRUE(spread_.Next(now_, members_));
}

// It was begun before the try, so it is not what came of it.
TEST_F(SpreadTest, AMemberOfBeforeIsNoAnswer) {
  for (int i = 0; i < 3; ++i) Connect("a");
  members_.push_back({MemberId{++last_id_}, "", now_, 0});
  now_ += Spread::kSettle;
  ASSERT_TRUE(spread_.Next(now_, members_));
  Name("b");
  EXPECT_TRUE(spread_.trying());
}

TEST_F(SpreadTest, NewMembersAreWaitedForButNotForEver) {
  for (int i = 0; i < 2; ++i) Connect("a");
  members_.push_back({MemberId{++last_id_}, "", now_, 0});
  EXPECT_FALSE(spread_.Next(now_, members_));
  now_ += Spread::kSettle;
  EXPECT_TRUE(spread_.Next(now_, members_));
}

// A balancer that goes by the client's address has nothing else to give.
TEST_F(SpreadTest, GivesUpForLongerAndLonger) {
  for (int i = 0; i < 4; ++i) Connect("a");
  EXPECT_EQ(RedialsWithin(minutes(1), "a"), Spread::kTriesMax);
  EXPECT_EQ(RedialsWithin(minutes(1), "a"), 1);
  EXPECT_EQ(RedialsWithin(minutes(2), "a"), 1);
  EXPECT_EQ(RedialsWithin(minutes(4), "a"), 1);
  RedialsWithin(hours(4), "a");
  EXPECT_LE(RedialsWithin(hours(10), "a"), 10);
  EXPECT_GE(RedialsWithin(hours(10), "a"), 9);
}

TEST_F(SpreadTest, ANewBackendEndsThePause) {
  for (int i = 0; i < 6; ++i) Connect("a");
  EXPECT_EQ(RedialsWithin(seconds(30), "a"), Spread::kTriesMax);
  EXPECT_FALSE(Redial("b"));
  Connect("b");  // for the load's sake
  EXPECT_TRUE(Redial("b"));
}

// From one crowded backend to another is no gain, nor is the way back.
TEST_F(SpreadTest, ToAndFroIsInVain) {
  for (const char* backend : {"a", "a", "a", "b", "b", "b", "c"}) Connect(backend);
  int to_b = 0;
  int redials = 0;
  for (int i = 0; i < 30; ++i, now_ += seconds(1)) {
    redials += Redial([&] { return ++to_b % 2 == 1 ? "b" : "a"; });
  }
  EXPECT_EQ(redials, Spread::kTriesMax);
}

TEST_F(SpreadTest, ATryThatShowsNothingIsInVain) {
  for (int i = 0; i < 4; ++i) Connect("a");
  int tries = 0;
  for (const Time end = now_ + 5 * Spread::kPatience; now_ < end; now_ += seconds(1)) {
    if (spread_.Next(now_, members_)) ++tries;
  }
  EXPECT_EQ(tries, Spread::kTriesMax);
}

// Gains cost tokens, too: a balancer that always gives the newest backend, say.
TEST_F(SpreadTest, TheBudgetIsKept) {
  for (int i = 0; i < 40; ++i) Connect("a");
  int next = 0;
  const auto fresh = [&] { return absl::StrCat("new-", ++next); };
  int redials = 0;
  const Time end = now_ + seconds(50);
  while (now_ < end) {
    redials += Redial(fresh);
    now_ += std::chrono::milliseconds(100);
  }
  EXPECT_LE(redials, 8 + 10);
  EXPECT_GE(redials, 8 + 9);
}

// A backend that is gone is not looked for for long.
TEST_F(SpreadTest, BackendsAreForgotten) {
  for (const char* backend : {"a", "a", "b", "b", "c", "c"}) Connect(backend);
  members_.resize(4);
  EXPECT_TRUE(Redial("a"));
  EXPECT_EQ(RedialsWithin(Spread::kRemember, "a") + RedialsWithin(Spread::kRemember, "b"), 4);
  EXPECT_EQ(Counts(), (Map{{"a", 2}, {"b", 2}}));
  EXPECT_EQ(RedialsWithin(hours(2), "a"), 0);
}

TEST_F(SpreadTest, ManyBackendsAreBounded) {
  for (int i = 0; i < 1000; ++i) Connect(absl::StrCat("b", i));
  EXPECT_FALSE(Redial("a"));  // one each
}

}  // namespace
}  // namespace predial
