#include "benchmarks/compare/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace predial {

void LatencyHistogram::Add(int64_t nanos) {
  nanos = std::max<int64_t>(nanos, 0);
  ++buckets_[BucketOf(nanos)];
  ++count_;
  sum_ += static_cast<double>(nanos);
  max_ = std::max(max_, nanos);
}

int64_t LatencyHistogram::Quantile(double q) const {
  if (count_ == 0) return 0;
  const auto rank =
      std::max<int64_t>(1, std::llround(std::ceil(q * static_cast<double>(count_) - 1e-6)));
  int64_t seen = 0;
  for (int bucket = 0; bucket < static_cast<int>(buckets_.size()); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) return std::min(UpperBound(bucket), max_);
  }
  return max_;
}

// Values below 128 have a bucket each. Above, the highest bit says which power of two, and the
// seven below it which bucket of that power's.
int LatencyHistogram::BucketOf(uint64_t value) {
  if (value < (uint64_t{1} << kSubBits)) return static_cast<int>(value);
  const int shift = 63 - __builtin_clzll(value) - kSubBits;
  return ((shift + 1) << kSubBits) + static_cast<int>((value >> shift) - (1u << kSubBits));
}

int64_t LatencyHistogram::UpperBound(int bucket) {
  if (bucket < (1 << kSubBits)) return bucket;
  const int shift = (bucket >> kSubBits) - 1;
  const uint64_t first = (uint64_t{1} << kSubBits) + (bucket & ((1 << kSubBits) - 1));
  return static_cast<int64_t>(((first + 1) << shift) - 1);
}

}  // namespace predial
