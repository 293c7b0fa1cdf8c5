// ChannelAccess: the parts of grpc::ChannelInterface, and of grpc::ClientContext, that are private
// to gRPC's own call classes.
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

#include <string>

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
};

}  // namespace grpc::internal

namespace predial {
using ChannelAccess = grpc::internal::BlockingUnaryCallImpl<ChannelAccessTag, ChannelAccessTag>;
}  // namespace predial
