// PooledChannel: a gRPC channel that is a pool of warm connections. Start reading here.
//
//   auto channel = predial::PooledChannel::Create("dns:///orders:50051",
//                                                 grpc::InsecureChannelCredentials());
//   auto stub = Orders::NewStub(channel);  // unchanged, as is everything after it
//
// Every RPC of a stub goes over one of several HTTP/2 connections that were dialed before they were
// needed; dead ones are noticed and replaced, health is watched, the number follows the load. While
// no connection is ready, RPCs go over an ordinary gRPC channel, with gRPC's own queueing,
// wait_for_ready, deadlines and errors: CreateCall never blocks, but for synchronous RPCs under
// OverflowPolicy::kWait.
//
// Threads:   thread-safe, as grpc::Channel is.
// Ownership: shared by the stubs. RPCs in flight go on when the last reference is dropped;
//            connections close as their RPCs end. The destructor does not wait.
// fork():    in a child, RPCs of the parent's channels fail with FAILED_PRECONDITION, and nothing
//            else of them does anything; a new channel works if gRPC was not in use at the fork.
// Credentials, service config, load-balancing policies: any, as of grpc::CreateCustomChannel; see
//            PoolOptions::Mode for what that changes.
// Limits:    interceptors of gRPC's global factory come after the pool's own: see the README.
#pragma once

#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plugin/options.h"
#include "plugin/stats.h"

namespace predial {

class ChannelPool;
class Connectivity;

class PooledChannel final : public grpc::ChannelInterface {
 public:
  using Interceptors =
      std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>;

  // In the shapes of grpc::CreateChannel, CreateCustomChannel and
  // CreateCustomChannelWithInterceptors. Like them they never return null: if something is wrong
  // they log it, and the RPCs of the channel that they return fail with INVALID_ARGUMENT (or
  // FAILED_PRECONDITION, see TryCreate) and the reason. Starts connecting at once.
  static std::shared_ptr<PooledChannel> Create(
      const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
      const PoolOptions& options = {});
  static std::shared_ptr<PooledChannel> Create(
      const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
      const grpc::ChannelArguments& args, const PoolOptions& options = {});
  static std::shared_ptr<PooledChannel> Create(
      const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
      const grpc::ChannelArguments& args, Interceptors interceptors,
      const PoolOptions& options = {});

  // The same, with an error to handle:
  //   INVALID_ARGUMENT  the target, an option or its combination with another, with the credentials
  //                     or with a channel argument; names it
  //   FAILED_PRECONDITION  this process was forked while gRPC was in use in its parent
  static absl::StatusOr<std::shared_ptr<PooledChannel>> TryCreate(
      const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
      const grpc::ChannelArguments& args = {}, const PoolOptions& options = {},
      Interceptors interceptors = {});

  ~PooledChannel() override;

  // READY while a member can take an RPC; CONNECTING before that, or again; TRANSIENT_FAILURE from
  // the time when every endpoint has failed until one is ready; SHUTDOWN after Shutdown(); IDLE
  // only while suspended. `try_to_connect` changes nothing.
  grpc_connectivity_state GetState(bool try_to_connect) override;

  // A snapshot; waits microseconds for the event loop. All zero for a channel that failed to be
  // created.
  PoolStats Stats() const;

  // Refuses new RPCs (UNAVAILABLE, with the reason) and waits for those in flight: true if they all
  // ended by `deadline`. If not, the members' connections are closed, which ends their RPCs with
  // UNAVAILABLE; RPCs on the ordinary channel run on. On the event loop's own thread (in an
  // observer's callback) it does not wait.
  bool Shutdown(absl::Time deadline);

  // Replaces every connection, gently: the new ones first, where connections_max leaves room; RPCs
  // in flight end on the old ones. For after a change of the network or of a load balancer. Returns
  // at once.
  void ReplaceConnections();

  // Lets go of every connection and makes no new ones, as for a server's maintenance: RPCs in
  // flight may end, new ones fail with UNAVAILABLE and the reason, and the state is IDLE, until
  // Resume(). Both return at once, and do nothing when done twice or after Shutdown().
  void Suspend();
  void Resume();

 private:
  explicit PooledChannel(std::shared_ptr<ChannelPool> pool);
  // The channel that Create returns when it failed.
  PooledChannel(const std::string& target, const absl::Status& error);

  grpc::internal::Call CreateCall(const grpc::internal::RpcMethod& method,
                                  grpc::ClientContext* context,
                                  grpc::CompletionQueue* queue) override;
  void PerformOpsOnCall(grpc::internal::CallOpSetInterface* ops,
                        grpc::internal::Call* call) override;
  void* RegisterMethod(const char* method) override;
  void NotifyOnStateChangeImpl(grpc_connectivity_state last_observed, gpr_timespec deadline,
                               grpc::CompletionQueue* queue, void* tag) override;
  bool WaitForStateChangeImpl(grpc_connectivity_state last_observed,
                              gpr_timespec deadline) override;
  grpc::CompletionQueue* CallbackCQ() override;

  Connectivity& connectivity();

  const std::shared_ptr<ChannelPool> pool_;    // null for a channel that failed to be created
  const std::shared_ptr<grpc::Channel> lame_;  // null for all others
  const std::unique_ptr<Connectivity> lame_connectivity_;
};

}  // namespace predial
