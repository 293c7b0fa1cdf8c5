#include "plugin/api_test_calls.h"

namespace predial {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

const char* MethodName(RpcType type) {
  switch (type) {
    case RpcType::kUnary:
      return "/predial.echo.v1.Echo/Unary";
    case RpcType::kClientStream:
      return "/predial.echo.v1.Echo/ClientStream";
    case RpcType::kServerStream:
      return "/predial.echo.v1.Echo/ServerStream";
    case RpcType::kBidiStream:
      break;
  }
  return "/predial.echo.v1.Echo/BidiStream";
}

void TakeMetadata(const grpc::ClientContext& context, CallResult* result) {
  result->initial = CopyMetadata(context.GetServerInitialMetadata());
  result->trailing = CopyMetadata(context.GetServerTrailingMetadata());
}

CallResult MakeCall(CallApi api, RpcType type,
                    const std::shared_ptr<grpc::ChannelInterface>& channel,
                    grpc::ClientContext* context, const EchoRequests& requests) {
  CallResult result;
  switch (api) {
    case CallApi::kSync:
      result = MakeSyncCall(type, channel, context, requests);
      break;
    case CallApi::kAsync:
      result = MakeAsyncCall(type, channel, context, requests);
      break;
    case CallApi::kCallback:
      result = MakeCallbackCall(type, channel, context, requests);
      break;
    case CallApi::kGenericAsync:
      result = MakeGenericAsyncCall(type, channel, context, requests);
      break;
    case CallApi::kGenericCallback:
      result = MakeGenericCallbackCall(type, channel, context, requests);
      break;
  }
  TakeMetadata(*context, &result);
  return result;
}

CallResult MakeSyncCall(RpcType type, const std::shared_ptr<grpc::ChannelInterface>& channel,
                        grpc::ClientContext* context, const EchoRequests& requests) {
  const auto stub = Echo::NewStub(channel);
  CallResult result;
  EchoResponse response;
  switch (type) {
    case RpcType::kUnary:
      result.status = stub->Unary(context, requests.at(0), &response);
      if (result.status.ok()) result.responses.push_back(response);
      break;
    case RpcType::kClientStream: {
      const auto writer = stub->ClientStream(context, &response);
      for (const EchoRequest& request : requests) {
        if (!writer->Write(request)) break;
      }
      writer->WritesDone();
      result.status = writer->Finish();
      if (result.status.ok()) result.responses.push_back(response);
      break;
    }
    case RpcType::kServerStream: {
      const auto reader = stub->ServerStream(context, requests.at(0));
      while (reader->Read(&response)) result.responses.push_back(response);
      result.status = reader->Finish();
      break;
    }
    case RpcType::kBidiStream: {
      const auto stream = stub->BidiStream(context);
      for (const EchoRequest& request : requests) {
        if (!stream->Write(request) || !stream->Read(&response)) break;
        result.responses.push_back(response);
      }
      stream->WritesDone();
      while (stream->Read(&response)) result.responses.push_back(response);
      result.status = stream->Finish();
      break;
    }
  }
  return result;
}

}  // namespace predial
