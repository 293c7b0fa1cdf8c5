// Connectivity: the state that a PooledChannel's GetState, WaitForStateChange and
// NotifyOnStateChange answer from, with gRPC's meaning: a wait ends when the state is no longer the
// one that was last observed.
//
// Threads: thread-safe.
//
// Tags on the user's completion queues can be had from public gRPC API only by way of a channel. So
// watchers wait on an idle channel to nowhere, the `signal`, which is made to try to connect, and
// so to change its state, when the pool's state changes. It gives tags, deadlines and queue
// shutdown exactly gRPC's behavior.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/completion_queue.h>

#include <condition_variable>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "plugin/mutex.h"

namespace predial {

class Connectivity {
 public:
  explicit Connectivity(grpc_connectivity_state state) : state_(state) {}

  grpc_connectivity_state Get() const ABSL_LOCKS_EXCLUDED(mutex_);
  void Set(grpc_connectivity_state state) ABSL_LOCKS_EXCLUDED(mutex_);

  // True as soon as the state is not `last`; false if it still is at `deadline`.
  bool Wait(grpc_connectivity_state last, gpr_timespec deadline) ABSL_LOCKS_EXCLUDED(mutex_);

  // Brings `tag` on `queue`: with true as soon as the state is not `last`, with false at
  // `deadline`.
  void Notify(grpc_connectivity_state last, gpr_timespec deadline, grpc::CompletionQueue* queue,
              void* tag) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  std::condition_variable_any changed_;
  grpc_connectivity_state state_ ABSL_GUARDED_BY(mutex_);
  // What those wait on that have seen the present state; null if nobody has asked.
  std::shared_ptr<grpc::Channel> signal_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace predial
