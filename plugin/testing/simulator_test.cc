// Lives of pools, a thousand of them: see simulator.h for what has to hold.
#include "plugin/testing/simulator.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "plugin/core/pool_core.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A number from the environment, such as Bazel's.
int64_t Number(const char* name, int64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoll(value);
}

// As many cases, which Bazel's shards share.
constexpr int64_t kParts = 4;
class SeedsTest : public testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Parts, SeedsTest, testing::Range(int64_t{0}, kParts));

// PREDIAL_SEEDS lives, or the one that PREDIAL_SEED names.
TEST_P(SeedsTest, EverySeedHolds) {
  const int64_t one = Number("PREDIAL_SEED", 0);
  const int64_t first = one > 0 ? one : 1 + GetParam();
  const int64_t last = one > 0 ? one : Number("PREDIAL_SEEDS", 1000);
  SimulationResult total;
  for (int64_t seed = first; seed <= last; seed += kParts) {
    SimulationOptions options;
    options.seed = static_cast<uint64_t>(seed);
    const SimulationResult result = Simulate(options);
    ASSERT_EQ(result.failure, "");
    total.events += result.events;
    total.rpcs += result.rpcs;
    total.rpcs_on_anchor += result.rpcs_on_anchor;
    total.rotations += result.rotations;
    total.ended_by_limit += result.ended_by_limit;
  }
  // It lived: all kinds of things happened.
  EXPECT_GT(total.rpcs, 100);
  EXPECT_GT(total.events, 100);
  EXPECT_LT(total.rpcs_on_anchor, total.rpcs);
  std::printf("%lld events, %lld RPCs, %lld on anchors, %lld rotations, %lld ended by limits\n",
              static_cast<long long>(total.events), static_cast<long long>(total.rpcs),
              static_cast<long long>(total.rpcs_on_anchor), static_cast<long long>(total.rotations),
              static_cast<long long>(total.ended_by_limit));
}

// Two endpoints that are dialed every 16 ms, under demand, make more ticks than anything else.
TEST(SimulatorTest, ManyDialsAreNoFault) {
  SimulationOptions options;
  options.seed = 62753;
  EXPECT_EQ(Simulate(options).failure, "");
}

TEST(SimulatorTest, TheSameSeedIsTheSameLife) {
  SimulationOptions options;
  options.seed = 7;
  const SimulationResult one = Simulate(options);
  const SimulationResult other = Simulate(options);
  EXPECT_EQ(one.events, other.events);
  EXPECT_EQ(one.rpcs, other.rpcs);
  EXPECT_EQ(one.rotations, other.rotations);
  options.seed = 8;
  EXPECT_NE(Simulate(options).events, one.events);
}

SimulationOptions OnlyLimits() {
  SimulationOptions options;
  options.policy = PoolPolicy();
  options.trouble = minutes(10);
  options.crashes = options.poison = options.lame_ducks = options.resolver = options.users = false;
  options.limits = true;
  return options;
}

// The scout meets the limit; no member does.
TEST(SimulatorTest, NoMemberMeetsALimitOnAge) {
  SimulationOptions options = OnlyLimits();
  options.age_limit = seconds(5);
  for (options.seed = 1; options.seed <= 5; ++options.seed) {
    options.rpcs_limit = UINT64_MAX;
    const SimulationResult result = Simulate(options);
    EXPECT_EQ(result.failure, "");
    EXPECT_EQ(result.ended_by_limit, 0);
    EXPECT_GT(result.rotations, 100);
  }
}

TEST(SimulatorTest, FewMembersMeetALimitOnRpcs) {
  SimulationOptions options = OnlyLimits();
  options.age_limit = Duration::max();
  options.rpcs_limit = 100;
  int64_t rotations = 0;
  int64_t ended = 0;
  for (options.seed = 1; options.seed <= 5; ++options.seed) {
    const SimulationResult result = Simulate(options);
    EXPECT_EQ(result.failure, "");
    rotations += result.rotations;
    ended += result.ended_by_limit;
  }
  EXPECT_LT(ended, rotations / 4) << rotations << " rotations";
}

// The simulator finds what it looks for: a pool that takes longer to recover than it allows.
TEST(SimulatorTest, APoolThatDoesNotRecoverIsFound) {
  SimulationOptions options;
  options.policy = PoolPolicy();
  options.policy->backoff.initial = std::chrono::hours(1);
  options.policy->backoff.max = std::chrono::hours(1);
  options.policy->backoff.under_demand = std::chrono::hours(1);
  int found = 0;
  for (options.seed = 1; options.seed <= 20; ++options.seed) {
    const SimulationResult result = Simulate(options);
    if (result.failure.empty()) continue;
    EXPECT_NE(result.failure.find("the world is well, but the pool is not"), std::string::npos)
        << result.failure;
    ++found;
  }
  EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace predial
