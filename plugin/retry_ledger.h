// RetryLedger: how many RPCs of a pool are being sent again, which is bounded, and what became of
// those whose connection ended.
//
// Threads: thread-safe, lock-free.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "plugin/core/types.h"

namespace predial {

class RetryLedger {
 public:
  // At most `max` at a time; 0: none.
  explicit RetryLedger(int max) : max_(max) {}

  bool enabled() const { return max_ > 0; }

  // Begins a retry, if one more may be. Each that was begun is ended.
  bool Begin() {
    if (active_.fetch_add(1, std::memory_order_relaxed) < max_) return true;
    End();
    return false;
  }
  void End() { active_.fetch_sub(1, std::memory_order_relaxed); }

  void CountRetried(NeverSent reason) { Count(retried_[static_cast<size_t>(reason)]); }
  void CountLost(LossReason reason) { Count(lost_[static_cast<size_t>(reason)]); }

  std::array<int64_t, kNeverSentReasons> retried() const { return Read(retried_); }
  std::array<int64_t, kLossReasons> lost() const { return Read(lost_); }

 private:
  template <size_t kCount>
  using Counters = std::array<std::atomic<int64_t>, kCount>;

  static void Count(std::atomic<int64_t>& counter) {
    counter.fetch_add(1, std::memory_order_relaxed);
  }
  template <size_t kCount>
  static std::array<int64_t, kCount> Read(const Counters<kCount>& counters) {
    std::array<int64_t, kCount> values;
    for (size_t i = 0; i < kCount; ++i) values[i] = counters[i].load(std::memory_order_relaxed);
    return values;
  }

  const int max_;
  std::atomic<int> active_{0};
  Counters<kNeverSentReasons> retried_ = {};
  Counters<kLossReasons> lost_ = {};
};

}  // namespace predial
