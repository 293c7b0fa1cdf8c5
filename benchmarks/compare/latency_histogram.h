// LatencyHistogram: latencies in a fixed space, however many there are: what it takes must not show
// in the memory that is compared.
//
// Buckets are linear within each power of two, 128 of them, so that a quantile is at most 0.8 % too
// high. Threads: thread-compatible.
#pragma once

#include <array>
#include <cstdint>

namespace predial {

class LatencyHistogram {
 public:
  // Below 0 counts as 0.
  void Add(int64_t nanos);

  int64_t count() const { return count_; }
  double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  int64_t max() const { return max_; }
  // The upper bound of the bucket in which the smallest value lies that is not less than a share
  // `q`, within (0, 1], of all; never above max(). 0 if there is none.
  int64_t Quantile(double q) const;

 private:
  static constexpr int kSubBits = 7;
  static constexpr int kPowers = 64 - kSubBits;

  static int BucketOf(uint64_t value);
  static int64_t UpperBound(int bucket);

  std::array<int64_t, kPowers << kSubBits> buckets_ = {};
  int64_t count_ = 0;
  double sum_ = 0;
  int64_t max_ = 0;
};

}  // namespace predial
