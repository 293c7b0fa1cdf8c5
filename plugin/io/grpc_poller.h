// GrpcPoller: one thread in a CompletionQueue's Next().
//
// It completes Predial's own RPCs (health checks and watches), and, being blocked in gRPC's poller,
// it reads every connection of the process: nobody else reads an idle from-fd connection, so
// GOAWAYs and pings would wait for the next RPC.
//
// Threads: thread-safe.
#pragma once

#include <grpcpp/completion_queue.h>

#include <thread>

namespace predial {

class GrpcPoller {
 public:
  // What a tag of the queue points to. OnCompleted runs on the poller's thread and must not block;
  // whoever starts an operation keeps its tag until then.
  class Tag {
   public:
    virtual void OnCompleted(bool ok) = 0;

   protected:
    ~Tag() = default;
  };

  GrpcPoller();
  // Waits for the operations that were started; they must have been cancelled. Not on the poller's
  // own thread.
  ~GrpcPoller();

  grpc::CompletionQueue* queue() { return &queue_; }
  bool InPoller() const { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  void Run();

  grpc::CompletionQueue queue_;
  std::thread thread_;
};

}  // namespace predial
