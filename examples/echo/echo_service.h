// EchoService: all of proto/echo.proto on gRPC's callback API. No thread ever waits: a delay is an
// alarm, and cancelling the RPC ends it.
//
// Threads: thread-safe; one object may be registered with one server.
// Limits:  those of the proto. A request beyond one ends its RPC with INVALID_ARGUMENT, which names
//          the field, its value and its range.
//
// What the proto leaves open: ServerStream waits `delay` before each of its responses. ClientStream
// ends as soon as a request has a status_code, and otherwise goes by the delay and size of the last
// one; a stream without any request is answered with an empty message.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "proto/echo.grpc.pb.h"

namespace predial {

class EchoService final : public echo::v1::Echo::CallbackService {
 public:
  // Where to put the port that becomes EchoResponse::server_port: give it to
  // ServerBuilder::AddListeningPort(), which writes it before the first RPC. 0 until then.
  int* selected_port() { return &port_; }

  // Called with the request of each Unary RPC as it begins, on gRPC's threads, several at a time.
  // To be set before the server starts.
  void set_on_unary(std::function<void(const echo::v1::EchoRequest&)> on_unary) {
    on_unary_ = std::move(on_unary);
  }

  // RPCs that have begun so far.
  int64_t rpcs() const { return rpcs_.load(std::memory_order_relaxed); }

  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context,
                                  const echo::v1::EchoRequest* request,
                                  echo::v1::EchoResponse* response) override;
  grpc::ServerReadReactor<echo::v1::EchoRequest>* ClientStream(
      grpc::CallbackServerContext* context, echo::v1::EchoResponse* response) override;
  grpc::ServerWriteReactor<echo::v1::EchoResponse>* ServerStream(
      grpc::CallbackServerContext* context, const echo::v1::EchoRequest* request) override;
  grpc::ServerBidiReactor<echo::v1::EchoRequest, echo::v1::EchoResponse>* BidiStream(
      grpc::CallbackServerContext* context) override;

 private:
  int port_ = 0;                                                // const once the server has started
  std::function<void(const echo::v1::EchoRequest&)> on_unary_;  // const once the server has started
  std::atomic<int64_t> rpcs_{0};
};

}  // namespace predial
