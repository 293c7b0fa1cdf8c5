#include "plugin/checkout_queue.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace predial {

CheckoutQueue::End CheckoutQueue::Wait(Time until, absl::FunctionRef<bool()> given_up,
                                       Lease* lease) {
  const Time began = Clock::now();
  Waiter self;
  std::list<Waiter*>::iterator position;
  {
    MutexLock lock(mutex_);
    if (static_cast<int>(queue_.size()) >= waiters_max_) return End::kQueueFull;
    position = queue_.insert(queue_.end(), &self);
    table_->SetWaiting(static_cast<int>(queue_.size()));
  }
  Dispatch();  // a place may have come free before it was known that someone waits
  End end = End::kTimedOut;
  std::unique_lock<Mutex> lock(mutex_);
  while (!self.served) {
    const Time now = Clock::now();
    if (now >= until) break;
    self.changed.wait_until(lock, std::min(until, now + kSlice));
    if (self.served) break;
    lock.unlock();  // it is not ours
    const bool give_up = given_up();
    lock.lock();
    if (!give_up || self.served) continue;
    end = End::kGivenUp;
    break;
  }
  ++waits_;
  wait_time_ += Clock::now() - began;
  if (self.served) {
    *lease = std::move(self.lease);
    return End::kLeased;
  }
  queue_.erase(position);
  table_->SetWaiting(static_cast<int>(queue_.size()));
  return end;
}

void CheckoutQueue::Dispatch() {
  {
    MutexLock lock(mutex_);
    if (dispatching_) {
      again_ = true;
      return;
    }
    dispatching_ = true;
    again_ = false;
  }
  Lease lease;
  for (bool more = true; more;) {
    // Without the lock: it looks at connections, and may signal.
    if (!lease) lease = table_->Acquire();
    MutexLock lock(mutex_);
    more = HandOver(&lease);
    if (!more) dispatching_ = false;
  }
  lease.Undo();  // whom it was for has given up
}

bool CheckoutQueue::HandOver(Lease* lease) {
  if (queue_.empty()) return false;
  // Without a place: once more if there was a signal since the last time.
  if (!*lease) return std::exchange(again_, false);
  Waiter* const first = queue_.front();
  queue_.pop_front();
  table_->SetWaiting(static_cast<int>(queue_.size()));
  first->lease = std::move(*lease);
  first->served = true;
  first->changed.notify_one();  // under the lock: the waiter owns the variable
  return !queue_.empty();
}

int64_t CheckoutQueue::waits() const {
  MutexLock lock(mutex_);
  return waits_;
}

Duration CheckoutQueue::wait_time() const {
  MutexLock lock(mutex_);
  return wait_time_;
}

}  // namespace predial
