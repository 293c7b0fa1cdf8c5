// ChannelAccess: the parts of grpc::ChannelInterface and grpc::ClientContext that are private to
// gRPC's own call classes.
//
// A wrapper of channels has to pass these calls on, and to start an RPC again as it was, and gRPC
// has no public way to. What it has are friend templates; this is a specialization of one of them,
// for a type of ours. Nothing of gRPC's is changed.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/impl/call.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/impl/rpc_method.h>

#include <string>
#include <utility>

namespace predial {
struct ChannelAccessTag {};
}  // namespace predial

namespace grpc::internal {

template <>
class BlockingUnaryCallImpl<predial::ChannelAccessTag, predial::ChannelAccessTag> {
 public:
  static Call CreateCall(ChannelInterface* channel, const RpcMethod& method,
                         grpc::ClientContext* context, grpc::CompletionQueue* queue) {
    return channel->CreateCall(method, context, queue);
  }
  // The first value of `key` in the metadata that the caller has given the RPC; null without one.
  static const std::string* RequestMetadata(const grpc::ClientContext& context,
                                            const std::string& key) {
    const auto& metadata = context.send_initial_metadata_;
    const auto found = metadata.lower_bound(key);
    return found == metadata.end() || found->first != key ? nullptr : &found->second;
  }
  static grpc::CompletionQueue* CallbackCQ(ChannelInterface* channel) {
    return channel->CallbackCQ();
  }

  // Whether TryCancel() was called on a context that has no RPC yet. Thread-safe.
  static bool IsCancelled(grpc::ClientContext* context) {
    const MutexLock lock(&context->mu_);
    return context->call_canceled_;
  }

  // Makes `to`, which is new, start an RPC as `from` did: metadata (and in it, compression),
  // deadline, wait_for_ready, authority, call credentials, and what it is part of.
  static void CopyRequest(const grpc::ClientContext& from, grpc::ClientContext& to) {
    to.send_initial_metadata_ = from.send_initial_metadata_;
    to.compression_algorithm_ = from.compression_algorithm_;
    to.deadline_ = from.deadline_;
    to.wait_for_ready_ = from.wait_for_ready_;
    to.wait_for_ready_explicitly_set_ = from.wait_for_ready_explicitly_set_;
    to.authority_ = from.authority_;
    to.creds_ = from.creds_;
    to.census_context_ = from.census_context_;
    // The RPC of `from`, which has not been destroyed, keeps the one that it is part of.
    to.propagate_from_call_ = from.propagate_from_call_;
    to.propagation_options_ = from.propagation_options_;
  }

  // Lets `to` show what the server of `from`, whose RPC has ended, answered besides messages.
  static void MoveResponse(grpc::ClientContext& from, grpc::ClientContext& to) {
    Move(from.recv_initial_metadata_, to.recv_initial_metadata_);
    Move(from.trailing_metadata_, to.trailing_metadata_);
    to.set_debug_error_string(from.debug_error_string());
  }

 private:
  static void Move(MetadataMap& from, MetadataMap& to) {
    to.Reset();
    std::swap(*from.arr(), *to.arr());
  }
};

}  // namespace grpc::internal

namespace predial {
using ChannelAccess = grpc::internal::BlockingUnaryCallImpl<ChannelAccessTag, ChannelAccessTag>;
}  // namespace predial
