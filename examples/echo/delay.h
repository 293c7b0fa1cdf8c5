// Delay: waits without a thread, and can be cut short. For reactors of gRPC's callback API.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "grpcpp/alarm.h"
#include "plugin/mutex.h"

namespace predial {

// Threads:   Start() by one thread at a time, not before the one before has called back; Cancel()
//            by any, at any time, but not after the callback has destroyed the Delay.
// Ownership: may be destroyed from within the callback, and by nobody else while one is due.
class Delay {
 public:
  // `elapsed` is false if Cancel() cut the delay short, or forbade it before it began.
  using Callback = std::function<void(bool elapsed)>;

  // Shows ThreadSanitizer, which does not see how gRPC's threads get to Cancel(), that this came
  // first.
  Delay() { MutexLock lock(mu_); }
  Delay(const Delay&) = delete;
  Delay& operator=(const Delay&) = delete;

  // Calls `callback` once: from within Start() if there is nothing to wait for, otherwise from
  // there or from a thread of gRPC's.
  void Start(absl::Duration delay, Callback callback);

  // Ends the present delay at once, and every later one. Does not wait for the callback.
  void Cancel();

 private:
  // The alarm has fired, or Start() has handed it over: what comes second calls back. So nothing of
  // this object is in use any more when the callback runs.
  void HalfDone();
  bool cancelled() const;

  mutable Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  // One for each delay: Cancel() may still hold the last one while Start() sets the next.
  std::shared_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mu_);

  Callback callback_;  // handed over by halves_
  std::atomic<int> halves_{0};
};

}  // namespace predial
