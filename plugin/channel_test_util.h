// What the tests of PooledChannel share: servers to talk to, and waiting for a pool to get
// somewhere.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/echo/echo_server_lib.h"
#include "plugin/pooled_channel.h"
#include "proto/echo.grpc.pb.h"

namespace predial {

// How long a test waits for what must come. Only a failing test waits this long.
inline constexpr std::chrono::seconds kPatience{30};

inline std::unique_ptr<EchoServer> StartServer(const EchoServerOptions& options = {}) {
  auto server = EchoServer::Start(options);
  if (!server.ok()) {
    ADD_FAILURE() << server.status();
    return nullptr;
  }
  return *std::move(server);
}

inline std::string TargetOf(const EchoServer& server) {
  return absl::StrCat("ipv4:", server.address());
}

// True once `condition` is; false if it is not within kPatience.
inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

inline int ReadyMembers(const PooledChannel& channel) {
  int ready = 0;
  for (const EndpointStats& endpoint : channel.Stats().endpoints) ready += endpoint.ready;
  return ready;
}

inline bool WaitForReadyMembers(const PooledChannel& channel, int count) {
  return Eventually([&] { return ReadyMembers(channel) == count; });
}

// One unary RPC; waits for the channel to be ready if it has to.
inline grpc::Status Echo(echo::v1::Echo::Stub& stub, const std::string& message = "hello",
                         bool wait_for_ready = true) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  context.set_wait_for_ready(wait_for_ready);
  echo::v1::EchoRequest request;
  request.set_message(message);
  echo::v1::EchoResponse response;
  grpc::Status status = stub.Unary(&context, request, &response);
  if (status.ok() && response.message() != message) {
    ADD_FAILURE() << "sent " << message << ", got " << response.message();
  }
  return status;
}

}  // namespace predial
