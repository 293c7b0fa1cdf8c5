#include "plugin/metrics/sharded_counters.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace predial {
namespace {

TEST(ShardedCountersTest, StartAtZero) {
  ShardedCounters counters(3);
  EXPECT_EQ(counters.size(), 3);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(counters.Sum(i), 0);
}

TEST(ShardedCountersTest, CountersAreIndependentAcrossCacheLines) {
  ShardedCounters counters(20);
  for (size_t i = 0; i < 20; ++i) counters.Local().Add(i, i + 1);
  for (size_t i = 0; i < 20; ++i) EXPECT_EQ(counters.Sum(i), i + 1) << i;
}

TEST(ShardedCountersTest, NothingIsLostUnderEightThreads) {
  constexpr int kThreads = 8;
  constexpr uint64_t kRounds = 50000;
  ShardedCounters counters(10);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&counters] {
      for (uint64_t i = 0; i < kRounds; ++i) {
        counters.Local().Add(0, 1);
        counters.Local().Add(9, 3);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counters.Sum(0), kThreads * kRounds);
  EXPECT_EQ(counters.Sum(9), kThreads * kRounds * 3);
  EXPECT_EQ(counters.Sum(5), 0);
}

TEST(ShardedCountersTest, MoreThreadsThanShardsShareAndLoseNothing) {
  constexpr int kThreads = 3 * ShardedCounters::kShards;
  constexpr uint64_t kRounds = 2000;
  ShardedCounters counters(1);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&counters] {
      for (uint64_t i = 0; i < kRounds; ++i) counters.Local().Add(0, 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counters.Sum(0), kThreads * kRounds);
}

// What the order that the header promises is for: an effect is never seen without its cause.
TEST(ShardedCountersTest, ASumSeesWhatHappenedBeforeTheAddsThatAnEarlierSumSaw) {
  constexpr uint64_t kRounds = 100000;
  ShardedCounters causes(1);
  ShardedCounters effects(1);
  std::thread writer([&] {
    for (uint64_t i = 0; i < kRounds; ++i) {
      causes.Local().Add(0, 1);
      effects.Local().Add(0, 1);
    }
  });
  for (int i = 0; i < 1000; ++i) {
    const uint64_t effect = effects.Sum(0);
    const uint64_t cause = causes.Sum(0);
    EXPECT_LE(effect, cause);
  }
  writer.join();
}

}  // namespace
}  // namespace predial
