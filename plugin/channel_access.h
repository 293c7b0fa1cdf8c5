// ChannelAccess: the parts of grpc::ChannelInterface, and of a ClientContext, that are private to
// gRPC's own call classes.
//
// A wrapper of channels has to pass these calls on, and gRPC has no public way to. What it has are
// friend templates; this is a specialization of one of them, for a type of ours. Nothing of gRPC's
// is changed.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/impl/call.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/impl/rpc_method.h>

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
  static grpc::CompletionQueue* CallbackCQ(ChannelInterface* channel) {
    return channel->CallbackCQ();
  }
  // Whether TryCancel() was called on a context that has no RPC yet. Thread-safe.
  static bool IsCancelled(grpc::ClientContext* context) {
    const MutexLock lock(&context->mu_);
    return context->call_canceled_;
  }
};

}  // namespace grpc::internal

namespace predial {
using ChannelAccess = grpc::internal::BlockingUnaryCallImpl<ChannelAccessTag, ChannelAccessTag>;
}  // namespace predial
