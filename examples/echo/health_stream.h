// HealthStream and CheckHealth(): the client's side of grpc.health.v1, for tests. Wire-compatible
// by way of proto/health.proto, see there.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "proto/health.pb.h"

namespace predial {

// One Health/Check for `service`. The response is as it was if the RPC fails.
grpc::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                         health::v1::HealthCheckResponse* response);

// One Health/Watch; cancelled by the destructor. Thread-compatible.
class HealthStream {
 public:
  HealthStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& service);
  ~HealthStream();
  HealthStream(const HealthStream&) = delete;
  HealthStream& operator=(const HealthStream&) = delete;

  // The next status that the server tells; nullopt if the stream ended instead, or `timeout`
  // passed.
  std::optional<health::v1::HealthCheckResponse::ServingStatus> Next(absl::Duration timeout);

 private:
  using Stream = grpc::ClientAsyncReaderWriter<health::v1::HealthCheckRequest,
                                               health::v1::HealthCheckResponse>;

  // Runs one operation to its end; false if it failed or took longer.
  bool Await(absl::Duration timeout);

  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<Stream> stream_;
  health::v1::HealthCheckResponse response_;
  bool reading_ = false;  // a Read() is under way that an earlier Next() gave up waiting for
};

}  // namespace predial
