#include "plugin/lame_channel.h"

#include <grpc/grpc.h>
#include <grpcpp/impl/grpc_library.h>

#include <utility>

namespace predial {

std::shared_ptr<grpc::Channel> CreateLameChannel(
    const std::string& target, const grpc::Status& status,
    std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
        interceptors) {
  // gRPC must be initialized before its core is called; a grpc::Channel keeps it so from then on.
  static grpc::internal::GrpcLibraryInitializer initializer;
  initializer.summon();
  const grpc::GrpcLibraryCodegen initialized;
  return grpc::CreateChannelInternal(
      "",
      grpc_lame_client_channel_create(target.c_str(),
                                      static_cast<grpc_status_code>(status.error_code()),
                                      status.error_message().c_str()),
      std::move(interceptors));
}

}  // namespace predial
