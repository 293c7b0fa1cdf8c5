#include "plugin/io/fork_guard.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>

#include "plugin/core/types.h"

namespace predial {
namespace {

std::atomic<uint32_t> forks{0};
std::atomic<bool> in_use_at_fork{false};
std::atomic<bool> forked_in_use{false};

std::atomic<bool> forking{false};
std::atomic<int> visits{0};
thread_local int own_visits = 0;

void BeforeFork() {
  in_use_at_fork.store(grpc_is_initialized() != 0, std::memory_order_relaxed);
  forking.store(true);
  // Long enough for a thread that waits for its turn on a busy machine.
  const Time until = Clock::now() + std::chrono::seconds(1);
  while (visits.load() > own_visits && Clock::now() < until) sched_yield();
}

void InParent() { forking.store(false); }

// Only what a signal handler may do, too.
void InChild() {
  forking.store(false);
  visits.store(own_visits);  // the others were the parent's threads'
  forks.fetch_add(1, std::memory_order_relaxed);
  if (in_use_at_fork.load(std::memory_order_relaxed)) {
    forked_in_use.store(true, std::memory_order_relaxed);
  }
}

// Before main(): a fork before the first pool counts, too.
const int registered = pthread_atfork(BeforeFork, InParent, InChild);

}  // namespace

uint32_t ForkCount() {
  (void)registered;
  return forks.load(std::memory_order_relaxed);
}

GrpcVisit::GrpcVisit() {
  visits.fetch_add(1);
  ++own_visits;
  allowed_ = !forking.load();
}

GrpcVisit::~GrpcVisit() {
  --own_visits;
  visits.fetch_sub(1);
}

bool ForkedWhileGrpcWasInUse() { return forked_in_use.load(std::memory_order_relaxed); }

}  // namespace predial
