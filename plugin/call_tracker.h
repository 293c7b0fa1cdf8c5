// The interceptor of every RPC that goes through a pool: gives the lease back when the RPC ends,
// has it sent again if it is unary and no server saw it, and reports to the observer.
//
// A unary RPC that has no other interceptor, and is synchronous or has a callback function, goes
// without, which saves a twentieth of it: its batch tells of its end (bare_batch.h). The tracker is
// then only told of a cancellation.
//
// The factory is the last of a member channel's interceptor factories, so that its interceptors are
// next to the wire: they see the status before the user's do.
//
// Lifetime: a ClientContext owns its interceptors and, beyond them, shares its channel; the channel
//           owns the factory; the factory shares what the interceptors point to. So they need no
//           references of their own.
#pragma once

#include <grpcpp/impl/call_hook.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>
#include <vector>

#include "plugin/io/runtime.h"
#include "plugin/member_table.h"
#include "plugin/observer.h"
#include "plugin/retry_ledger.h"

namespace predial {

// The channel whose RPC is being started on this thread, and its lease, handed from
// PooledChannel::CreateCall to the factory. Nests, in case a user's interceptor starts RPCs of its
// own.
class StartingRpc {
 public:
  // `began`: when the RPC starts to count, which is when its checkout ended; only read if there is
  // an observer.
  StartingRpc(Lease lease, Time began);
  // Gives the lease back if no interceptor took it.
  ~StartingRpc();
  StartingRpc(const StartingRpc&) = delete;
  StartingRpc& operator=(const StartingRpc&) = delete;

  // Not of an empty lease.
  const Slot& slot() const { return *slot_; }
  // Whom the RPC's batches have to go through; null if nobody.
  grpc::internal::CallHook* hook() const { return hook_; }

 private:
  friend class CallTrackerFactory;

  Lease lease_;
  const Slot* const slot_;
  const Time began_;
  grpc::internal::CallHook* hook_ = nullptr;
  StartingRpc* const outer_;
};

// What all trackers of a pool share.
struct TrackerTargets {
  std::shared_ptr<Runtime> runtime;
  std::shared_ptr<MemberTable> table;
  std::shared_ptr<RetryLedger> retries;
  std::shared_ptr<PoolEvents> events;  // may be null
  std::string backend_metadata = {};   // PoolOptions::backend_metadata
  // Members are ordinary channels.
  bool managed = false;
  // A member has connections to several servers: the end of one is not its own.
  bool many_connections = false;
};

// `callback_owner` is the channel that CallbackCQ() comes from: kept alive by every RPC of a
// member.
//
// `alone`: it is the channel's only factory.
//
// Tracks RPCs started through PooledChannel, and no others (the pool's own health checks).
class CallTrackerFactory : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  CallTrackerFactory(std::shared_ptr<const TrackerTargets> targets,
                     std::shared_ptr<grpc::Channel> callback_owner, bool alone)
      : targets_(std::move(targets)), callback_owner_(std::move(callback_owner)), alone_(alone) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override;

 private:
  const std::shared_ptr<const TrackerTargets> targets_;
  const std::shared_ptr<grpc::Channel> callback_owner_;
  const bool alone_;
};

using InterceptorFactories =
    std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>;

// The user's factories, shared by all the channels of a pool (gRPC wants each channel to own its
// own).
using SharedInterceptorFactories = std::shared_ptr<const InterceptorFactories>;

// One channel's factories: a front for each of `user`, then the tracker's. The pool's own health
// checks do not go through the user's.
InterceptorFactories MakeInterceptorFactories(const SharedInterceptorFactories& user,
                                              std::shared_ptr<const TrackerTargets> targets,
                                              std::shared_ptr<grpc::Channel> callback_owner);

}  // namespace predial
