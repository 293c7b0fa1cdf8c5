#include "plugin/io/grpc_poller.h"

#include <pthread.h>

#include <mutex>

namespace predial {

GrpcPoller::GrpcPoller() : thread_(&GrpcPoller::Run, this) {}

GrpcPoller::~GrpcPoller() {
  {
    std::unique_lock<Mutex> lock(mutex_);
    idle_.wait(lock, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return works_ == 0; });
  }
  queue_.Shutdown();
  thread_.join();
}

GrpcPoller::Work::Work(GrpcPoller& poller) : poller_(poller) {
  MutexLock lock(poller_.mutex_);
  ++poller_.works_;
}

GrpcPoller::Work::~Work() {
  MutexLock lock(poller_.mutex_);
  if (--poller_.works_ == 0) poller_.idle_.notify_all();  // under the lock: the poller may go next
}

void GrpcPoller::Run() {
  pthread_setname_np(pthread_self(), "predial-grpc");
  void* next;
  bool ok;
  while (queue_.Next(&next, &ok)) {
    Tag* const tag = static_cast<Tag*>(next);
    tag->handed_over_.load(std::memory_order_acquire);
    tag->OnCompleted(ok);
  }
}

}  // namespace predial
