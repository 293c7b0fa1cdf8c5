#include "examples/echo/quantile.h"

#include <limits>
#include <numeric>

#include "gtest/gtest.h"

namespace predial {
namespace {

TEST(QuantileTest, IsOneOfTheValues) {
  std::vector<int64_t> values(100);
  std::iota(values.begin(), values.end(), 1);
  EXPECT_EQ(Quantile(values, 0.5), 50);
  EXPECT_EQ(Quantile(values, 0.99), 99);
  EXPECT_EQ(Quantile(values, 1), 100);
  EXPECT_EQ(Quantile({7}, 0.01), 7);
  EXPECT_EQ(Quantile({}, 0.5), 0);
}

// A series with these cumulative counts in the buckets up to 1, 2, 4 and +Inf.
prometheus::ClientMetric Series(const std::vector<uint64_t>& counts) {
  const std::vector<double> bounds = {1, 2, 4, std::numeric_limits<double>::infinity()};
  prometheus::ClientMetric metric;
  for (size_t i = 0; i < bounds.size(); ++i) {
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = counts.at(i);
    bucket.upper_bound = bounds[i];
    metric.histogram.bucket.push_back(bucket);
  }
  return metric;
}

std::vector<prometheus::MetricFamily> Families(std::vector<prometheus::ClientMetric> series) {
  prometheus::MetricFamily other;
  other.name = "other";
  other.metric = {Series({9, 9, 9, 9})};
  prometheus::MetricFamily family;
  family.name = "wanted";
  family.metric = std::move(series);
  return {other, family};
}

TEST(HistogramQuantileTest, IsLinearWithinTheBucket) {
  const auto families = Families({Series({10, 30, 100, 100})});
  EXPECT_DOUBLE_EQ(*HistogramQuantile(families, "wanted", 0.05), 0.5);
  EXPECT_DOUBLE_EQ(*HistogramQuantile(families, "wanted", 0.1), 1);
  EXPECT_DOUBLE_EQ(*HistogramQuantile(families, "wanted", 0.2), 1.5);
  EXPECT_DOUBLE_EQ(*HistogramQuantile(families, "wanted", 0.65), 3);
}

TEST(HistogramQuantileTest, SumsTheSeries) {
  const auto families = Families({Series({10, 10, 10, 10}), Series({0, 0, 10, 10})});
  EXPECT_DOUBLE_EQ(*HistogramQuantile(families, "wanted", 0.5), 1);
  EXPECT_DOUBLE_EQ(*HistogramQuantile(families, "wanted", 0.75), 3);
}

TEST(HistogramQuantileTest, StopsAtTheLastBound) {
  const auto families = Families({Series({0, 0, 1, 100})});
  EXPECT_DOUBLE_EQ(*HistogramQuantile(families, "wanted", 0.99), 4);
}

TEST(HistogramQuantileTest, IsNothingWithoutValues) {
  EXPECT_EQ(HistogramQuantile({}, "wanted", 0.5), std::nullopt);
  EXPECT_EQ(HistogramQuantile(Families({}), "wanted", 0.5), std::nullopt);
  EXPECT_EQ(HistogramQuantile(Families({Series({0, 0, 0, 0})}), "wanted", 0.5), std::nullopt);
}

}  // namespace
}  // namespace predial
