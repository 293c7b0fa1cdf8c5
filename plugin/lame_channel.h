// A channel whose RPCs all fail, at once and without a connection.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>
#include <vector>

namespace predial {

// RPCs of any kind and API end with `status`, which must not be OK.
std::shared_ptr<grpc::Channel> CreateLameChannel(
    const std::string& target, const grpc::Status& status,
    std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
        interceptors = {});

}  // namespace predial
