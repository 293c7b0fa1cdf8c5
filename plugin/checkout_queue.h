// CheckoutQueue: callers that wait for a place on a member, first come, first served.
//
// A place that comes free is taken for the first in the queue, by the thread that gave it back, and
// handed over: so each waiter is woken once, with its lease in hand, and nobody who came later gets
// in between (but for RPCs that do not wait at all and find it first).
//
//   Wait() --full--> queued --Dispatch() hands a lease over--> kLeased
//                      '----- until has come, or given up ----> kTimedOut, kGivenUp
//
// Threads:   thread-safe. Wait() blocks; Dispatch() does not. The table is called without the lock;
//            of several threads in Dispatch() one does the work.
// Ownership: refers to its table, which must outlive every call.
// Limits:    at most `waiters_max` wait.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "plugin/core/types.h"
#include "plugin/member_table.h"
#include "plugin/mutex.h"

namespace predial {

class CheckoutQueue {
 public:
  enum class End {
    kLeased,
    kTimedOut,
    kGivenUp,
    kQueueFull,  // it did not wait
  };
  // How soon a waiter notices that it is to give up.
  static constexpr Duration kSlice = std::chrono::milliseconds(20);

  explicit CheckoutQueue(int waiters_max) : waiters_max_(waiters_max) {}
  CheckoutQueue(const CheckoutQueue&) = delete;

  // Once, before anything else: a strict table.
  void Serve(MemberTable* table) { table_ = table; }

  // Takes a lease, after all who wait already. Waits until `until` for it, or until `given_up()`,
  // which is asked every kSlice.
  End Wait(Time until, absl::FunctionRef<bool()> given_up, Lease* lease)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // MemberTable::Signals::room: hands over what there is.
  void Dispatch() ABSL_LOCKS_EXCLUDED(mutex_);

  // How many waited so far, and for how long together; those that gave up included.
  int64_t waits() const ABSL_LOCKS_EXCLUDED(mutex_);
  Duration wait_time() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiter {
    Lease lease;
    bool served = false;
    std::condition_variable_any changed;
  };

  // Gives the lease, if there is one, to the first in the queue. Whether to look for another.
  bool HandOver(Lease* lease) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int waiters_max_;
  MemberTable* table_ = nullptr;  // const after Serve()

  mutable Mutex mutex_;
  std::list<Waiter*> queue_ ABSL_GUARDED_BY(mutex_);  // on the stacks of their threads
  bool dispatching_ ABSL_GUARDED_BY(mutex_) = false;
  bool again_ ABSL_GUARDED_BY(mutex_) = false;  // asked to, while another thread did
  int64_t waits_ ABSL_GUARDED_BY(mutex_) = 0;
  Duration wait_time_ ABSL_GUARDED_BY(mutex_) = {};
};

}  // namespace predial
