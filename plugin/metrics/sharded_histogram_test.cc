#include "plugin/metrics/sharded_histogram.h"

#include <cmath>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

std::vector<uint64_t> Cumulative(const prometheus::ClientMetric::Histogram& histogram) {
  std::vector<uint64_t> counts;
  for (const auto& bucket : histogram.bucket) counts.push_back(bucket.cumulative_count);
  return counts;
}

TEST(ShardedHistogramTest, AnEmptyOneHasAllItsBuckets) {
  const HistogramBounds bounds({0.001, 1});
  const ShardedHistogram histogram(bounds);
  const auto collected = histogram.Collect();
  ASSERT_EQ(collected.bucket.size(), 3);
  EXPECT_EQ(collected.bucket[0].upper_bound, 0.001);
  EXPECT_EQ(collected.bucket[1].upper_bound, 1);
  EXPECT_TRUE(std::isinf(collected.bucket[2].upper_bound));
  EXPECT_EQ(Cumulative(collected), (std::vector<uint64_t>{0, 0, 0}));
  EXPECT_EQ(collected.sample_count, 0);
  EXPECT_EQ(collected.sample_sum, 0);
}

TEST(ShardedHistogramTest, BucketsAreCumulativeAndBoundsInclusive) {
  const HistogramBounds bounds({0.001, 1});
  ShardedHistogram histogram(bounds);
  histogram.Record(milliseconds(1));
  histogram.Record(milliseconds(1) + nanoseconds(1));
  histogram.Record(seconds(1));
  histogram.Record(seconds(1) + nanoseconds(1));
  const auto collected = histogram.Collect();
  EXPECT_EQ(Cumulative(collected), (std::vector<uint64_t>{1, 3, 4}));
  EXPECT_EQ(collected.sample_count, 4);
  EXPECT_DOUBLE_EQ(collected.sample_sum, 2.002000002);
}

TEST(ShardedHistogramTest, ANegativeDurationCountsAsZero) {
  const HistogramBounds bounds({0.001});
  ShardedHistogram histogram(bounds);
  histogram.Record(nanoseconds(-5));
  const auto collected = histogram.Collect();
  EXPECT_EQ(Cumulative(collected), (std::vector<uint64_t>{1, 1}));
  EXPECT_EQ(collected.sample_sum, 0);
}

TEST(ShardedHistogramTest, NothingIsLostUnderEightThreads) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 30000;
  const HistogramBounds bounds({10e-9, 20e-9, 30e-9});
  ShardedHistogram histogram(bounds);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&histogram] {
      for (int i = 0; i < kRounds; ++i) histogram.Record(nanoseconds(10 * (i % 4 + 1)));
    });
  }
  for (int i = 0; i < 100; ++i) {
    const auto collected = histogram.Collect();
    EXPECT_EQ(collected.bucket.back().cumulative_count, collected.sample_count);
  }
  for (std::thread& thread : threads) thread.join();
  const auto collected = histogram.Collect();
  constexpr uint64_t kEach = kThreads * kRounds / 4;
  EXPECT_EQ(Cumulative(collected), (std::vector<uint64_t>{kEach, 2 * kEach, 3 * kEach, 4 * kEach}));
  EXPECT_EQ(std::llround(collected.sample_sum * 1e9), kEach * 100);
}

}  // namespace
}  // namespace predial
