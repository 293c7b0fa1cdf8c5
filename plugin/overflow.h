// Overflow: what becomes of an RPC that finds every connection full, where the pool's
// OverflowPolicy is not kShare.
//
// It waits, or is refused: then it is made on a channel that fails it, with an error that names the
// target, the limit that was hit and what to do. Refused RPCs pass the pool's interceptors, so that
// they are seen and counted as others are.
//
// Threads:   thread-safe. Acquire() takes no lock unless the connections are full.
// Ownership: shares the queue with the table, which must outlive it.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "plugin/call_tracker.h"
#include "plugin/checkout_queue.h"
#include "plugin/core/types.h"
#include "plugin/member_table.h"
#include "plugin/mutex.h"
#include "plugin/options.h"

namespace predial {

class Overflow {
 public:
  struct Config {
    std::string target;
    PoolOptions options;  // whose policy is not kShare
    MemberTable* table = nullptr;
    std::shared_ptr<CheckoutQueue> queue;  // that serves the table
    // Of the channels that refused RPCs are made on.
    std::function<InterceptorFactories()> interceptors;
    // Whether this thread must not wait, whatever it calls: the event loop's.
    std::function<bool()> must_not_wait;
  };
  explicit Overflow(Config config) : config_(std::move(config)) {}

  // A lease, or the channel that refuses the RPC.
  struct Checkout {
    Lease lease;
    std::shared_ptr<grpc::Channel> refusal;
  };
  // For an RPC that CreateCall() was given with these. Blocks it only if it is synchronous.
  // `choose` takes a place that is free, or none; an RPC that has waited takes any.
  Checkout Acquire(grpc::ClientContext* context, grpc::CompletionQueue* completion_queue,
                   absl::FunctionRef<Lease()> choose);

  const CheckoutQueue& queue() const { return *config_.queue; }
  // RPCs refused so far, by RejectReason.
  std::array<int64_t, kRejectReasons> rejections() const;

 private:
  Checkout Wait(grpc::ClientContext* context);
  Checkout Refuse(RejectReason reason);
  // One that fails with `status`; the last one for `kind` if it had the same.
  std::shared_ptr<grpc::Channel> ChannelFor(int kind, const grpc::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::string DescribeLimit() const;

  const Config config_;
  std::array<std::atomic<int64_t>, kRejectReasons> rejections_ = {};

  struct Refusal {
    std::string message;
    std::shared_ptr<grpc::Channel> channel;
  };
  Mutex mutex_;
  // By RejectReason, and one for RPCs that were cancelled.
  std::array<Refusal, kRejectReasons + 1> refusals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace predial
