// Mutex and MutexLock.
#pragma once

#include <mutex>

#include "absl/base/thread_annotations.h"

namespace predial {

// std::mutex with Clang's thread-safety annotations. Not absl::Mutex, which ThreadSanitizer sees
// only when Abseil itself is built with it. Nothing foreign (user code, gRPC, syscalls) is called
// under one.
class ABSL_LOCKABLE Mutex {
 public:
  void lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mu_.lock(); }
  void unlock() ABSL_UNLOCK_FUNCTION() { mu_.unlock(); }

 private:
  std::mutex mu_;
};

class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex& mu) ABSL_EXCLUSIVE_LOCK_FUNCTION(mu) : mu_(mu) { mu_.lock(); }
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mu_.unlock(); }
  MutexLock(const MutexLock&) = delete;

 private:
  Mutex& mu_;
};

}  // namespace predial
