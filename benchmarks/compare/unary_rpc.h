// UnaryRpc: a unary RPC to the echo service, sent as often as wanted, its answer checked.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "benchmarks/compare/contender.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/status.h"
#include "proto/echo.grpc.pb.h"
#include "proto/echo.pb.h"

namespace predial {

struct RpcShape {
  int request_bytes = 128;  // of padding
  int response_bytes = 128;
  absl::Duration handler_delay;  // before the server answers
  absl::Duration deadline = absl::Seconds(30);
};

// Threads: one RPC at a time. Must not be destroyed while one is under way.
class UnaryRpc {
 public:
  using Done = std::function<void(const grpc::Status&)>;

  UnaryRpc(Contender contender, const RpcShape& shape);

  // Blocks until it has ended. A wrong answer is DATA_LOSS.
  grpc::Status Send();
  // `done` is called on one of gRPC's threads, maybe before this returns; from within it the next
  // one may be sent.
  void SendAsync(Done done);

 private:
  void Prepare();
  grpc::Status Check(const grpc::Status& status) const;

  const Contender contender_;
  const RpcShape shape_;
  int64_t number_ = 0;
  echo::v1::EchoRequest request_;
  echo::v1::EchoResponse response_;
  std::shared_ptr<grpc::ChannelInterface> channel_;
  std::unique_ptr<echo::v1::Echo::Stub> stub_;
  std::optional<grpc::ClientContext> context_;
};

}  // namespace predial
