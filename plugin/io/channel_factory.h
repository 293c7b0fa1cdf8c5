// Where members' channels are made, and the only place where a socket becomes a gRPC channel.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>
#include <vector>

#include "plugin/io/unique_fd.h"

namespace predial {

// A channel over `fd`, a connected, non-blocking stream socket on which nothing has been sent. gRPC
// owns the socket from here on and closes it with the channel's transport.
//
// The result is not an ordinary channel: its connectivity API must not be called (it aborts), it
// never reconnects, and it sends GRPC_ARG_DEFAULT_AUTHORITY of `args`, or else a placeholder, as
// :authority.
std::shared_ptr<grpc::Channel> CreateMemberChannel(
    UniqueFd fd, const grpc::ChannelArguments& args,
    std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> factories);

// An ordinary channel that shares its connections with no other: an anchor's, or a managed
// member's. `grpc_target` is as grpc::CreateChannel takes it.
std::shared_ptr<grpc::Channel> CreateOrdinaryChannel(
    const std::string& grpc_target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    grpc::ChannelArguments args,
    std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> factories);

}  // namespace predial
