// HistogramBounds: the upper bounds of a histogram's buckets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace predial {

// Bounds in seconds, as Prometheus charts them, and in whole nanoseconds, as durations come.
//
// Threads: immutable.
class HistogramBounds {
 public:
  static constexpr size_t kMax = 64;

  // OK if `seconds` has 1 to kMax bounds, each in [1 ns, 1e9 s] and, rounded to the nearest
  // nanosecond, greater than the one before. INVALID_ARGUMENT names `field`, the bound and its
  // fault.
  static absl::Status Validate(absl::string_view field, const std::vector<double>& seconds);

  // Aborts if Validate() does not agree.
  explicit HistogramBounds(std::vector<double> seconds);

  // The bucket of a duration: the first whose bound is not below it (Prometheus's `le`), or size()
  // if it is above them all. `nanoseconds` >= 0. Starts at the first bound that can hold a duration
  // of as many bits, and looks at the few bounds within a factor of two.
  size_t Find(int64_t nanoseconds) const {
    // Bit 0 is set to have a highest one; 0 and 1 are below or equal to every bound.
    const int highest_bit = 63 - __builtin_clzll(static_cast<uint64_t>(nanoseconds) | 1);
    size_t i = first_[static_cast<size_t>(highest_bit)];
    while (nanoseconds_[i] < nanoseconds) ++i;
    return i;
  }

  size_t size() const { return seconds_.size(); }
  const std::vector<double>& seconds() const { return seconds_; }

 private:
  const std::vector<double> seconds_;
  const std::vector<int64_t> nanoseconds_;  // and the greatest int64_t, where every search ends
  std::array<uint8_t, 64> first_;           // by n: the first bound of at least 2^n ns
};

}  // namespace predial
