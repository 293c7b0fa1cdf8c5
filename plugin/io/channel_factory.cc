#include "plugin/io/channel_factory.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/create_channel_posix.h>

#include <utility>

namespace predial {

std::shared_ptr<grpc::Channel> CreateMemberChannel(
    UniqueFd fd, const grpc::ChannelArguments& args,
    std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> factories) {
  return grpc::experimental::CreateCustomInsecureChannelWithInterceptorsFromFd(
      "predial", fd.Release(), args, std::move(factories));
}

std::shared_ptr<grpc::Channel> CreateOrdinaryChannel(
    const std::string& grpc_target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    grpc::ChannelArguments args,
    std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> factories) {
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::experimental::CreateCustomChannelWithInterceptors(grpc_target, credentials, args,
                                                                 std::move(factories));
}

}  // namespace predial
