// One RPC of each kind, made through each of the APIs that a channel has: what the tests of a
// channel are run over.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <vector>

#include "plugin/api_test_server.h"
#include "plugin/observer.h"
#include "proto/echo.grpc.pb.h"

namespace predial {

using EchoRequests = std::vector<echo::v1::EchoRequest>;

// What the caller of an RPC gets.
struct CallResult {
  grpc::Status status;
  std::vector<echo::v1::EchoResponse> responses;
  MetadataMap initial;
  MetadataMap trailing;
};

enum class CallApi { kSync, kAsync, kCallback, kGenericAsync, kGenericCallback };
inline constexpr CallApi kCallApis[] = {CallApi::kSync, CallApi::kAsync, CallApi::kCallback,
                                        CallApi::kGenericAsync, CallApi::kGenericCallback};

// Makes one RPC of EchoService and returns when it has ended. Unary and server-streaming RPCs send
// the first of `requests`; a bidi-streaming one reads a response after each request. Stops sending,
// as an application does, when a message cannot be sent. The context is the caller's, and has to
// have a deadline.
CallResult MakeCall(CallApi api, RpcType type,
                    const std::shared_ptr<grpc::ChannelInterface>& channel,
                    grpc::ClientContext* context, const EchoRequests& requests);

// --- The same by API; for MakeCall.
CallResult MakeSyncCall(RpcType type, const std::shared_ptr<grpc::ChannelInterface>& channel,
                        grpc::ClientContext* context, const EchoRequests& requests);
CallResult MakeAsyncCall(RpcType type, const std::shared_ptr<grpc::ChannelInterface>& channel,
                         grpc::ClientContext* context, const EchoRequests& requests);
CallResult MakeCallbackCall(RpcType type, const std::shared_ptr<grpc::ChannelInterface>& channel,
                            grpc::ClientContext* context, const EchoRequests& requests);
CallResult MakeGenericAsyncCall(RpcType type,
                                const std::shared_ptr<grpc::ChannelInterface>& channel,
                                grpc::ClientContext* context, const EchoRequests& requests);
CallResult MakeGenericCallbackCall(RpcType type,
                                   const std::shared_ptr<grpc::ChannelInterface>& channel,
                                   grpc::ClientContext* context, const EchoRequests& requests);

// The method's full name: "/package.Service/Method".
const char* MethodName(RpcType type);

// Fills in the metadata of an RPC that has ended.
void TakeMetadata(const grpc::ClientContext& context, CallResult* result);

}  // namespace predial
