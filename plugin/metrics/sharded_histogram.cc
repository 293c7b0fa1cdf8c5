#include "plugin/metrics/sharded_histogram.h"

#include <limits>

namespace predial {

prometheus::ClientMetric::Histogram ShardedHistogram::Collect() const {
  prometheus::ClientMetric::Histogram histogram;
  histogram.bucket.reserve(bounds_.size() + 1);
  uint64_t count = 0;
  for (size_t i = 0; i <= bounds_.size(); ++i) {
    count += counters_.Sum(kBuckets + i);
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = count;
    bucket.upper_bound =
        i < bounds_.size() ? bounds_.seconds()[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back(bucket);
  }
  histogram.sample_count = count;
  // After the buckets, so that it holds at least what they count.
  histogram.sample_sum = static_cast<double>(counters_.Sum(kSum)) / 1e9;
  return histogram;
}

}  // namespace predial
