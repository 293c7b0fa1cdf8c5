// A unary RPC through each of the four ways in which stubs that protoc generates make one.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "plugin/api_test_calls.h"
#include "plugin/mutex.h"
#include "plugin/observer.h"
#include "proto/echo.grpc.pb.h"

namespace predial {

// With a callback function; api_test_calls has the reactor.
inline CallResult CallWithFunction(const std::shared_ptr<grpc::ChannelInterface>& channel,
                                   grpc::ClientContext* context,
                                   const echo::v1::EchoRequest& request) {
  const auto stub = echo::v1::Echo::NewStub(channel);
  Mutex mutex;
  std::condition_variable_any done_changed;
  bool done = false;
  CallResult result;
  echo::v1::EchoResponse response;
  stub->async()->Unary(context, &request, &response, [&](grpc::Status status) {
    MutexLock lock(mutex);
    result.status = std::move(status);
    done = true;
    done_changed.notify_one();
  });
  std::unique_lock<Mutex> lock(mutex);
  done_changed.wait(lock, [&] { return done; });
  if (result.status.ok()) result.responses.push_back(response);
  return result;
}

enum class UnaryApi { kSync, kAsync, kFunction, kReactor };
inline constexpr UnaryApi kUnaryApis[] = {UnaryApi::kSync, UnaryApi::kAsync, UnaryApi::kFunction,
                                          UnaryApi::kReactor};

inline CallResult CallUnary(UnaryApi api, const std::shared_ptr<grpc::ChannelInterface>& channel,
                            grpc::ClientContext* context, const echo::v1::EchoRequest& request) {
  switch (api) {
    case UnaryApi::kSync:
      return MakeCall(CallApi::kSync, RpcType::kUnary, channel, context, {request});
    case UnaryApi::kAsync:
      return MakeCall(CallApi::kAsync, RpcType::kUnary, channel, context, {request});
    case UnaryApi::kReactor:
      return MakeCall(CallApi::kCallback, RpcType::kUnary, channel, context, {request});
    case UnaryApi::kFunction:
      break;
  }
  return CallWithFunction(channel, context, request);
}

inline std::string NameOfUnaryApi(const testing::TestParamInfo<UnaryApi>& info) {
  switch (info.param) {
    case UnaryApi::kSync:
      return "Sync";
    case UnaryApi::kAsync:
      return "Async";
    case UnaryApi::kFunction:
      return "Function";
    case UnaryApi::kReactor:
      break;
  }
  return "Reactor";
}

}  // namespace predial
