#include "plugin/core/health.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>

namespace predial {
namespace {

constexpr EndpointHealth kServing{true, 2, 0};
constexpr EndpointHealth kNotServing{false, 2, 0};
constexpr EndpointHealth kUnreachable{true, 0, 0};

TEST(HealthTest, PanicsAboveTheThresholdOnly) {
  const HealthPolicy policy;
  EXPECT_FALSE(IsPanic(policy, {}));
  EXPECT_FALSE(IsPanic(policy, {kServing}));
  EXPECT_TRUE(IsPanic(policy, {kNotServing}));
  EXPECT_FALSE(IsPanic(policy, {kServing, kNotServing}));
  EXPECT_TRUE(IsPanic(policy, {kServing, kNotServing, kNotServing}));
  EXPECT_FALSE(IsPanic(policy, {kServing, kServing, kNotServing}));
}

TEST(HealthTest, EndpointsCountTheSameHoweverManyMembersTheyHave) {
  const HealthPolicy policy;
  EXPECT_FALSE(IsPanic(policy, {{true, 1, 0}, {false, 9, 0}}));
  EXPECT_FALSE(IsPanic(policy, {{true, 2, 2}}));
  EXPECT_TRUE(IsPanic(policy, {{true, 1, 2}}));
}

TEST(HealthTest, AnUnreachableEndpointDoesNotOutvoteOneThatIsNotServing) {
  EXPECT_TRUE(IsPanic(HealthPolicy(), {kNotServing, kUnreachable}));
}

TEST(HealthTest, AThresholdOfOneNeverPanics) {
  HealthPolicy policy;
  policy.panic_threshold = 1;
  EXPECT_FALSE(IsPanic(policy, {kNotServing, kNotServing}));
}

TEST(HealthTest, QuietMembersAreCheckedAfterTheInterval) {
  HealthPolicy policy;
  Member member(MemberId{1}, EndpointId{1}, Time());
  member.last_activity = policy.together + std::chrono::hours(1);
  EXPECT_EQ(NextCheck(policy, member), Time::max());  // connecting
  member.MoveTo(MemberState::kReady);
  EXPECT_EQ(NextCheck(policy, member), member.last_activity + policy.interval);
  member.check_pending = true;
  EXPECT_EQ(NextCheck(policy, member), Time::max());
  member.check_pending = false;
  member.MoveTo(MemberState::kEjected);
  member.last_check = Time() + std::chrono::minutes(50);  // RPCs do not put it off
  EXPECT_EQ(NextCheck(policy, member), member.last_check + policy.interval);
  policy.enabled = false;
  EXPECT_EQ(NextCheck(policy, member), Time::max());
  policy.enabled = true;
  member.MoveTo(MemberState::kDraining);
  EXPECT_EQ(NextCheck(policy, member), Time::max());
}

TEST(HealthTest, TheChecksOfAllComeTogetherUpToHalfAnIntervalEarlier) {
  HealthPolicy policy;
  policy.together = Time() + std::chrono::milliseconds(300);
  const Duration half = policy.interval / 2;
  Member member(MemberId{1}, EndpointId{1}, Time());
  member.MoveTo(MemberState::kReady);
  for (int i = 0; i < 100; ++i) {
    const Time quiet_since = Time() + i * std::chrono::milliseconds(70);
    member.last_activity = quiet_since;
    const Time at = NextCheck(policy, member);
    EXPECT_EQ((at - policy.together) % half, Duration::zero());
    EXPECT_LE(at, quiet_since + policy.interval);
    EXPECT_GT(at, quiet_since + half);
  }
}

TEST(HealthTest, TheChecksOfVeryManyPoolsComeAtSeveralMoments) {
  const Time first = Time() + std::chrono::hours(1);
  std::map<Time, int> pools;
  for (uint64_t pool = 0; pool < 640; ++pool) {
    const Time at = ChecksTogether(first, pool);
    EXPECT_LE(at, first);
    ++pools[at];
  }
  EXPECT_EQ(pools.size(), 10u);
  for (const auto& [at, count] : pools) EXPECT_EQ(count, 64);
  EXPECT_EQ(ChecksTogether(first, 0), first);
  EXPECT_GT(ChecksTogether(first, UINT64_MAX), first - HealthPolicy().interval / 2);
}

}  // namespace
}  // namespace predial
