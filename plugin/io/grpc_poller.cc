#include "plugin/io/grpc_poller.h"

#include <pthread.h>

#include <mutex>

#include "plugin/io/exit_guard.h"
#include "plugin/io/fork_guard.h"

namespace predial {

GrpcPoller::GrpcPoller() : GrpcPoller(Rest(), Clock::now()) {}

GrpcPoller::GrpcPoller(Rest rest, Time active_at)
    : rest_(rest), active_at_(active_at), thread_(&GrpcPoller::Run, this) {}

GrpcPoller::~GrpcPoller() {
  {
    std::unique_lock<Mutex> lock(mutex_);
    changed_.wait(lock, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return works_ == 0; });
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
  queue_.Shutdown();
  void* tag;
  bool ok;
  while (queue_.Next(&tag, &ok)) {
    // Nothing is left on it: gRPC only wants to be asked.
  }
}

GrpcPoller::Work::Work(GrpcPoller& poller) : poller_(poller) {
  MutexLock lock(poller_.mutex_);
  ++poller_.works_;
}

GrpcPoller::Work::~Work() {
  MutexLock lock(poller_.mutex_);
  if (--poller_.works_ == 0) {
    poller_.changed_.notify_all();  // under the lock: the poller may go next
  }
}

GrpcPoller::Expected::Expected(GrpcPoller& poller) : poller_(poller), work_(poller) {
  MutexLock lock(poller_.mutex_);
  if (++poller_.expected_ == 1) poller_.changed_.notify_all();
}

GrpcPoller::Expected::~Expected() {
  MutexLock lock(poller_.mutex_);
  --poller_.expected_;
}

GrpcPoller::Urgent::Urgent(GrpcPoller& poller) : poller_(poller), work_(poller) {
  MutexLock lock(poller_.mutex_);
  if (++poller_.urgent_ == 1) poller_.changed_.notify_all();
}

GrpcPoller::Urgent::~Urgent() {
  MutexLock lock(poller_.mutex_);
  --poller_.urgent_;
}

void GrpcPoller::NoteActivity() {
  const Time now = Clock::now();
  if (now - active_at_.exchange(now, std::memory_order_relaxed) < rest_.after) return;
  MutexLock lock(mutex_);
  changed_.notify_all();
}

Duration GrpcPoller::Interval() const {
  if (expected_ > 0) return kInterval;
  const Duration inactive = Clock::now() - active_at_.load(std::memory_order_relaxed);
  return inactive < rest_.after ? kInterval : rest_.interval;
}

bool GrpcPoller::Look(Duration wait) {
  const GrpcVisit visit;
  if (!visit.allowed()) return false;  // in a forked child
  void* next;
  bool ok;
  // A deadline in the past: gRPC polls once, without waiting.
  const gpr_timespec deadline = wait == Duration::zero()
                                    ? gpr_time_0(GPR_CLOCK_REALTIME)
                                    : gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                                   gpr_time_from_nanos(wait.count(), GPR_TIMESPAN));
  if (queue_.AsyncNext(&next, &ok, deadline) != grpc::CompletionQueue::GOT_EVENT) return false;
  Tag* const tag = static_cast<Tag*>(next);
  tag->handed_over_.load(std::memory_order_acquire);
  tag->OnCompleted(ok);
  return true;
}

void GrpcPoller::Run() {
  pthread_setname_np(pthread_self(), "predial-grpc");
  int looks = 1;
  for (;;) {
    {
      const ExitTurn turn;
      if (!turn.allowed()) return;
      for (int in_vain = 0; in_vain < looks;) in_vain = Look(Duration::zero()) ? 0 : in_vain + 1;
    }
    {
      std::unique_lock<Mutex> lock(mutex_);
      const Duration interval = Interval();
      changed_.wait_for(lock, interval, [this, interval]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return stopping_ || urgent_ > 0 || Interval() < interval;
      });
      if (stopping_) return;
      looks = expected_ > 0 ? kLooksForAnswer : 1;
      if (urgent_ == 0) continue;
    }
    const ExitTurn turn;
    if (!turn.allowed()) return;
    Look(kInterval);
  }
}

}  // namespace predial
