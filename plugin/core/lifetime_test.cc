#include "plugin/core/lifetime.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "plugin/core/types.h"

namespace predial {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kNever = Duration::max();

class LifetimeTest : public testing::Test {
 protected:
  Lifetime& lifetime() {
    if (!lifetime_) lifetime_.emplace(policy_);
    return *lifetime_;
  }
  // How old a member that is ready now may get; kNever if nothing limits it.
  Duration AgeOf(Time born, double jitter = 0) {
    const Time at = lifetime().DueByAge(born, jitter).at;
    return at == Time::max() ? kNever : at - born;
  }
  Duration Age() { return AgeOf(now_); }
  // Time passes, and conclusions are drawn when they are due.
  void Pass(Duration span) {
    const Time end = now_ + span;
    int settled = 0;
    while (lifetime().NextSettle() <= end) {
      now_ = std::max(now_, lifetime().NextSettle());
      lifetime().Settle(now_);
      ASSERT_LT(++settled, 100) << "Settle() does not settle";
    }
    now_ = end;
  }
  // The scout lives for `age` and then ends alone; members as old as it live on.
  void ScoutLives(Duration age, int survivors = 2) {
    lifetime().OnScoutUp(now_);
    const Time born = now_;
    Pass(age);
    lifetime().OnScoutDown(now_, age, survivors, born);
    Pass(seconds(3));
  }
  // A member, made now, carries `rpcs` RPCs within `age` and is then ended in the midst of them.
  void MemberLives(Duration age, uint64_t rpcs) {
    Pass(age);
    lifetime().OnMemberEnded(now_, age, rpcs, /*busy=*/true);
    Pass(milliseconds(1));
  }

  LifetimePolicy policy_;
  std::optional<Lifetime> lifetime_;
  Time now_ = Time() + hours(1);
};

TEST_F(LifetimeTest, NothingIsLimitedBeforeAnythingIsKnown) {
  EXPECT_EQ(Age(), kNever);
  EXPECT_EQ(lifetime().RpcsOf(0).max, UINT64_MAX);
  EXPECT_EQ(lifetime().NextSettle(), Time::max());
}

TEST_F(LifetimeTest, WhatTheScoutHasSurvivedIsTheProof) {
  lifetime().OnScoutUp(now_);
  EXPECT_EQ(Age(), seconds(1));
  Pass(seconds(1));
  EXPECT_EQ(Age(), seconds(3));  // then the scout is 4 s old
  Pass(seconds(3));
  EXPECT_EQ(Age(), seconds(12));
  Pass(seconds(12));
  EXPECT_EQ(Age(), seconds(48));
  EXPECT_EQ(lifetime().DueByAge(now_, 0).reason, RotateReason::kProvenAge);
}

TEST_F(LifetimeTest, JitterMakesItAFifthShorterAtMost) {
  ScoutLives(seconds(100));
  EXPECT_EQ(AgeOf(now_, 0), seconds(75));
  EXPECT_EQ(AgeOf(now_, 0.5), milliseconds(67500));
  EXPECT_EQ(AgeOf(now_, 1), seconds(60));
}

TEST_F(LifetimeTest, AScoutThatEndsAloneTellsTheAgeLimit) {
  ScoutLives(seconds(10));
  EXPECT_EQ(lifetime().age_limit(), seconds(10));
  EXPECT_EQ(Age(), milliseconds(7500));
  ScoutLives(seconds(9));  // they vary
  EXPECT_EQ(lifetime().age_limit(), seconds(9));
  ScoutLives(seconds(11));
  EXPECT_EQ(lifetime().age_limit(), seconds(9));
  EXPECT_EQ(lifetime().rpcs_limit(), std::nullopt);
}

TEST_F(LifetimeTest, ACrashThatTakesMembersAndScoutTogetherTeachesNothing) {
  lifetime().OnScoutUp(now_);
  Pass(seconds(10));
  lifetime().OnMemberEnded(now_, seconds(7), 5000, true);
  lifetime().OnMemberEnded(now_, seconds(6), 5000, true);
  Pass(milliseconds(20));
  lifetime().OnScoutDown(now_, seconds(10), 0, now_);
  Pass(seconds(10));
  EXPECT_EQ(lifetime().age_limit(), std::nullopt);
  EXPECT_EQ(lifetime().rpcs_limit(), std::nullopt);
}

// The scout is looked at once a second when it is old: its end is told after the members' by more
// than what makes two ends one event.
TEST_F(LifetimeTest, ACrashThatTheScoutTellsLateTeachesNothing) {
  lifetime().OnScoutUp(now_);
  Pass(hours(1));
  const Duration seen = now_ - *lifetime().scout_since();
  Pass(milliseconds(50));
  for (int i = 0; i < 3; ++i) lifetime().OnMemberEnded(now_, minutes(30), 5000, true);
  Pass(milliseconds(950));
  // Members made since then are not among the survivors.
  lifetime().OnScoutDown(now_, seen, 0, now_);
  Pass(seconds(10));
  EXPECT_EQ(lifetime().age_limit(), std::nullopt);
  EXPECT_EQ(lifetime().rpcs_limit(), std::nullopt);
}

TEST_F(LifetimeTest, MembersThatEndAfterTheScoutWasHeardOfCountAsWell) {
  lifetime().OnScoutUp(now_);
  const Time born = now_;
  Pass(seconds(10));
  lifetime().OnScoutDown(now_, seconds(10), 2, born);
  Pass(milliseconds(100));
  lifetime().OnMemberEnded(now_, seconds(10), 50, true);
  lifetime().OnMemberEnded(now_, seconds(10), 50, true);
  Pass(seconds(10));
  EXPECT_EQ(lifetime().age_limit(), std::nullopt);
}

TEST_F(LifetimeTest, EndsTogetherThatComeAgainAtTheSameAgeAreALimit) {
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(lifetime().age_limit(), std::nullopt);
    lifetime().OnScoutUp(now_);
    Pass(milliseconds(500));
    lifetime().OnMemberEnded(now_, milliseconds(480), 50, true);
    lifetime().OnScoutDown(now_, milliseconds(500 - 20 * i), 0, now_);
    Pass(seconds(2));
  }
  EXPECT_EQ(lifetime().age_limit(), milliseconds(480));
}

TEST_F(LifetimeTest, AnAgeIsForgottenWhenTheServerWasRestarted) {
  ScoutLives(hours(2));
  lifetime().OnScoutUp(now_);
  Pass(minutes(5));
  lifetime().OnMemberEnded(now_, minutes(5), 5000, true);
  lifetime().OnScoutDown(now_, minutes(5), 0, now_);
  Pass(seconds(1));
  EXPECT_EQ(lifetime().age_limit(), std::nullopt);  // another may be there now
}

TEST_F(LifetimeTest, AnAgeThatTheScoutOutlivesWasNone) {
  ScoutLives(seconds(10));
  lifetime().OnScoutUp(now_);
  Pass(seconds(24));
  EXPECT_EQ(lifetime().age_limit(), seconds(10));
  Pass(seconds(2));
  EXPECT_EQ(lifetime().age_limit(), std::nullopt);
  EXPECT_EQ(AgeOf(now_), seconds(78));  // what it has survived is the proof again
}

// A connection of the scout's that breaks for reasons of its own.
TEST_F(LifetimeTest, AScoutThatEndsWhileMuchOlderMembersLiveTeachesNothing) {
  const Time born = now_;
  Pass(minutes(10));
  lifetime().OnScoutUp(now_);
  Pass(seconds(1));
  lifetime().OnScoutDown(now_, seconds(1), 2, born);
  Pass(seconds(3));
  EXPECT_EQ(lifetime().age_limit(), std::nullopt);
}

TEST_F(LifetimeTest, AScoutThatEndsAtOnceOrWithoutMembersTeachesNothing) {
  ScoutLives(milliseconds(49));
  EXPECT_EQ(lifetime().age_limit(), std::nullopt);
  ScoutLives(seconds(10), /*survivors=*/0);
  EXPECT_EQ(lifetime().age_limit(), std::nullopt);
}

TEST_F(LifetimeTest, AScoutThatIsNewDoesNotMakeOldMembersOverdue) {
  const Time born = now_;
  Pass(minutes(10));
  lifetime().OnScoutUp(now_);
  EXPECT_EQ(lifetime().DueByAge(born, 0).at, now_ + seconds(1));
}

TEST_F(LifetimeTest, AScoutThatIsGoneSaysNothing) {
  ScoutLives(seconds(10));
  lifetime().OnScoutUp(now_);
  lifetime().OnScoutGone();
  Pass(hours(1));
  EXPECT_EQ(lifetime().age_limit(), seconds(10));
}

TEST_F(LifetimeTest, TwoThatEndInTurnAfterTheSameNumberOfRpcsTellThatLimit) {
  lifetime().OnScoutUp(now_);
  Pass(seconds(10));
  MemberLives(seconds(2), 104);
  Pass(seconds(5));
  EXPECT_EQ(lifetime().rpcs_limit(), std::nullopt);
  MemberLives(seconds(8), 100);
  Pass(seconds(5));
  EXPECT_EQ(lifetime().rpcs_limit(), 100u);
  EXPECT_EQ(lifetime().age_limit(), std::nullopt);
  EXPECT_EQ(lifetime().RpcsOf(0).worn_at, 75u);
  EXPECT_EQ(lifetime().RpcsOf(1).worn_at, 60u);
  EXPECT_EQ(lifetime().RpcsOf(0).max, 100u);
  EXPECT_EQ(lifetime().RpcsOf(0).reason, RotateReason::kProvenRpcs);
}

TEST_F(LifetimeTest, MembersSideBySideThatEndTogetherProveNothing) {
  lifetime().OnScoutUp(now_);
  Pass(seconds(10));
  for (int i = 0; i < 4; ++i) lifetime().OnMemberEnded(now_, seconds(5), 100, true);
  Pass(seconds(5));
  EXPECT_EQ(lifetime().rpcs_limit(), std::nullopt);
}

TEST_F(LifetimeTest, QuietMembersAndFewRpcsTellNoLimit) {
  lifetime().OnScoutUp(now_);
  Pass(seconds(10));
  for (int i = 0; i < 3; ++i) MemberLives(seconds(1), 9);
  for (int i = 0; i < 3; ++i) {
    Pass(seconds(1));
    lifetime().OnMemberEnded(now_, seconds(1), 100, /*busy=*/false);
  }
  Pass(seconds(5));
  EXPECT_EQ(lifetime().rpcs_limit(), std::nullopt);
}

TEST_F(LifetimeTest, ALimitOnRpcsIsTriedAnewSeldomerEachTime) {
  lifetime().OnScoutUp(now_);
  Pass(seconds(10));
  MemberLives(seconds(1), 100);
  MemberLives(seconds(1), 100);
  Pass(seconds(50));
  EXPECT_EQ(lifetime().rpcs_limit(), 100u);
  Pass(seconds(20));
  EXPECT_EQ(lifetime().rpcs_limit(), std::nullopt);
  MemberLives(seconds(1), 100);  // one is enough now
  Pass(seconds(110));
  EXPECT_EQ(lifetime().rpcs_limit(), 100u);
  Pass(seconds(20));
  EXPECT_EQ(lifetime().rpcs_limit(), std::nullopt);
}

TEST_F(LifetimeTest, WithoutAScoutTheSameAgeAfterDifferentWorkIsAGuess) {
  MemberLives(seconds(10), 100);
  MemberLives(seconds(11), 1000);
  Pass(seconds(5));
  EXPECT_EQ(lifetime().age_limit(), seconds(10));
  EXPECT_EQ(lifetime().rpcs_limit(), std::nullopt);
  Pass(minutes(2));
  EXPECT_EQ(lifetime().age_limit(), std::nullopt);  // no scout disproves it
}

TEST_F(LifetimeTest, TheUsersLimitsHoldBesidesWhatIsLearned) {
  policy_.age_max = seconds(100);
  policy_.rpcs_max = 1000;
  EXPECT_EQ(Age(), seconds(75));
  EXPECT_EQ(AgeOf(now_, 1), seconds(60));
  EXPECT_EQ(lifetime().DueByAge(now_, 0).reason, RotateReason::kAge);
  EXPECT_EQ(lifetime().RpcsOf(0).worn_at, 750u);
  EXPECT_EQ(lifetime().RpcsOf(0).max, 1000u);
  EXPECT_EQ(lifetime().RpcsOf(0).reason, RotateReason::kRpcs);
  ScoutLives(seconds(10));
  EXPECT_EQ(lifetime().DueByAge(now_, 0).reason, RotateReason::kProvenAge);
  ScoutLives(seconds(10));
}

TEST_F(LifetimeTest, OneRpcPerConnectionIsALimitThatCanBeKept) {
  policy_.rpcs_max = 1;
  EXPECT_EQ(lifetime().RpcsOf(0.9).worn_at, 1u);
  EXPECT_EQ(lifetime().RpcsOf(0.9).max, 1u);
}

TEST_F(LifetimeTest, NothingIsLearnedWhenItIsOff) {
  policy_.proven = false;
  ScoutLives(seconds(10));
  MemberLives(seconds(1), 100);
  MemberLives(seconds(1), 100);
  Pass(seconds(5));
  EXPECT_EQ(Age(), kNever);
  EXPECT_EQ(lifetime().rpcs_limit(), std::nullopt);
}

// However short the life that was learned: the rate of dials is bounded.
TEST_F(LifetimeTest, NoMemberIsReplacedAtOnceForWhatWasLearned) {
  ScoutLives(milliseconds(55));
  EXPECT_EQ(lifetime().age_limit(), milliseconds(55));
  EXPECT_EQ(Age(), milliseconds(50));
}

}  // namespace
}  // namespace predial
