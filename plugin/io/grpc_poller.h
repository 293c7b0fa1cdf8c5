// GrpcPoller: one thread in a CompletionQueue's Next().
//
// It completes Predial's own RPCs (health checks and watches), and, being blocked in gRPC's poller,
// it reads every connection of the process: nobody else reads an idle from-fd connection, so
// GOAWAYs and pings would wait for the next RPC.
//
// Threads: thread-safe.
#pragma once

#include <grpcpp/completion_queue.h>

#include <atomic>
#include <condition_variable>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "plugin/mutex.h"

namespace predial {

class GrpcPoller {
 public:
  // An RPC on the queue: hold one from before its first operation until its last has completed. The
  // poller waits for all of them before it shuts its queue down, because gRPC allows no operation
  // after that.
  class Work {
   public:
    explicit Work(GrpcPoller& poller);
    ~Work();
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;

   private:
    GrpcPoller& poller_;
  };

  // What a tag of the queue points to. OnCompleted runs on the poller's thread and must not block;
  // whoever starts an operation keeps its tag until then.
  class Tag {
   public:
    virtual void OnCompleted(bool ok) = 0;

   protected:
    ~Tag() = default;

    // The tag for one more operation. The queue itself hands over what its starter wrote, but a
    // gRPC that ThreadSanitizer does not see into does so unseen: this does it in sight.
    void* Pass() {
      handed_over_.fetch_add(1, std::memory_order_release);
      return this;
    }

   private:
    friend class GrpcPoller;
    std::atomic<int> handed_over_{0};
  };

  GrpcPoller();
  // Waits for the RPCs on it, which must have been cancelled. Not on the poller's own thread.
  ~GrpcPoller();

  grpc::CompletionQueue* queue() { return &queue_; }
  bool InPoller() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  void Run();

  grpc::CompletionQueue queue_;

  Mutex mutex_;
  std::condition_variable_any idle_;
  int works_ ABSL_GUARDED_BY(mutex_) = 0;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace predial
