#include "benchmarks/compare/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace predial {
namespace {

TEST(LatencyHistogramTest, IsZeroWithoutValues) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_EQ(histogram.Quantile(0.5), 0);
}

TEST(LatencyHistogramTest, SmallValuesAreExact) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100; ++i) histogram.Add(i);
  EXPECT_EQ(histogram.Quantile(0.5), 50);
  EXPECT_EQ(histogram.Quantile(0.99), 99);
  EXPECT_EQ(histogram.Quantile(1), 100);
  EXPECT_EQ(histogram.Quantile(0.001), 1);
  EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
}

// Against the sorted values, over nine powers of ten.
TEST(LatencyHistogramTest, QuantilesAreAtMostOnePercentTooHigh) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(0, 9);
  LatencyHistogram histogram;
  std::vector<int64_t> values;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(static_cast<int64_t>(std::pow(10, exponent(random))));
    histogram.Add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (int permille = 1; permille <= 1000; ++permille) {
    const int64_t exact = values[permille * 20 - 1];
    const int64_t seen = histogram.Quantile(permille / 1000.0);
    EXPECT_GE(seen, exact) << permille;
    EXPECT_LE(static_cast<double>(seen), static_cast<double>(exact) * 1.008 + 1) << permille;
  }
}

TEST(LatencyHistogramTest, TakesWhatAnInt64Holds) {
  LatencyHistogram histogram;
  histogram.Add(-5);
  EXPECT_EQ(histogram.Quantile(1), 0);
  histogram.Add(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(histogram.Quantile(1), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(histogram.count(), 2);
}

}  // namespace
}  // namespace predial
