// GrpcPoller: a thread that looks into gRPC's poller now and then.
//
// It completes Predial's own RPCs (health checks and watches), and it reads what nobody else does:
// an idle from-fd connection has no thread that polls for it, so GOAWAYs and pings would wait for
// the next RPC.
//
// It blocks in the poller only for what is urgent. A thread that did would take the answers of RPCs
// away from the threads that wait for them, and hand them over by a context switch: measured at
// 8,000 instructions an RPC. So what is not urgent may take kInterval longer when no RPC is in
// flight, and up to a rest's interval when there has been none for a while.
//
// Threads: thread-safe.
#pragma once

#include <grpcpp/completion_queue.h>

#include <atomic>
#include <condition_variable>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "plugin/core/types.h"
#include "plugin/mutex.h"

namespace predial {

class GrpcPoller {
 public:
  // 50 times a second, for a few microseconds.
  static constexpr Duration kInterval = std::chrono::milliseconds(20);
  // It is at rest once there has been no activity for `after` and while no answer is expected. What
  // ends the rest ends the interval too.
  struct Rest {
    Duration after = std::chrono::seconds(20);
    Duration interval = std::chrono::milliseconds(100);
  };
  // Looks in a row that complete nothing, until the next interval, while an answer is expected.
  // gRPC reads from one connection a look, and what it reads may complete nothing: with one look,
  // 200 idle connections had more such bytes than were read, and their health checks went
  // unanswered.
  static constexpr int kLooksForAnswer = 8;

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

  // Work whose answer is soon to come: while there is any, the poller looks kLooksForAnswer times.
  class Expected {
   public:
    explicit Expected(GrpcPoller& poller);
    ~Expected();
    Expected(const Expected&) = delete;
    Expected& operator=(const Expected&) = delete;

   private:
    GrpcPoller& poller_;
    const Work work_;
  };

  // Work that somebody waits for: while there is any, the poller waits in gRPC instead of looking
  // now and then, so that what completes is handed over at once.
  class Urgent {
   public:
    explicit Urgent(GrpcPoller& poller);
    ~Urgent();
    Urgent(const Urgent&) = delete;
    Urgent& operator=(const Urgent&) = delete;

   private:
    GrpcPoller& poller_;
    const Work work_;
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
  // `active_at`: when there was activity last.
  GrpcPoller(Rest rest, Time active_at);
  // Waits for the RPCs on it, which must have been cancelled. Not on the poller's own thread.
  ~GrpcPoller();

  // A pool has begun, or has RPCs in flight. Takes a lock only when it ends a rest.
  void NoteActivity() ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::CompletionQueue* queue() { return &queue_; }
  bool InPoller() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  // Lets gRPC poll for at most `wait` and completes one operation, if one is to be. False if none
  // was.
  bool Look(Duration wait);
  // Until the next look.
  Duration Interval() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::CompletionQueue queue_;
  const Rest rest_;
  std::atomic<Time> active_at_;

  Mutex mutex_;
  std::condition_variable_any changed_;
  int works_ ABSL_GUARDED_BY(mutex_) = 0;
  int expected_ ABSL_GUARDED_BY(mutex_) = 0;
  int urgent_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace predial
