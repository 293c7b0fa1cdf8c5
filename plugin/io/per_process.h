// PerProcess: the process's one T, and another in each child that is forked from it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "plugin/io/fork_guard.h"

namespace predial {

// For static variables. A T is made when it is first asked for, and never destroyed: threads that
// use it may outlive static destruction, and a parent's T, which may be locked, is left alone.
//
// Threads: thread-safe, lock-free.
template <typename T>
class PerProcess {
 public:
  constexpr PerProcess() = default;

  T& Get() {
    Of* current = current_.load(std::memory_order_acquire);
    if (current != nullptr && current->forks == ForkCount()) return current->value;
    auto made = std::make_unique<Of>();
    made->before = current;
    // If another thread was quicker, its T counts.
    if (current_.compare_exchange_strong(current, made.get(), std::memory_order_acq_rel)) {
      return made.release()->value;
    }
    return current->value;
  }

 private:
  struct Of {
    const uint32_t forks = ForkCount();
    T value;
    Of* before = nullptr;  // the parent's, so that it does not look like a leak
  };

  std::atomic<Of*> current_{nullptr};
};

}  // namespace predial
