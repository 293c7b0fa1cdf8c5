#include "plugin/io/channel_factory.h"

#include <grpcpp/create_channel_posix.h>

#include <utility>

namespace predial {

std::shared_ptr<grpc::Channel> CreateMemberChannel(
    UniqueFd fd, const grpc::ChannelArguments& args,
    std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> factories) {
  return grpc::experimental::CreateCustomInsecureChannelWithInterceptorsFromFd(
      "predial", fd.Release(), args, std::move(factories));
}

}  // namespace predial
