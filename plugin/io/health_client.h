// HealthCheck and HealthWatch: the two calls of the gRPC health checking protocol
// (grpc/doc/health-checking.md), through generic stubs and messages of our own package: see
// health.proto.
//
// Threads:   created, used and destroyed on the loop's thread; `report` runs there.
// Ownership: destroying one cancels its RPC; `report` is then never called. The poller must outlive
//            the RPC, which ends soon after being cancelled.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "plugin/core/types.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/grpc_poller.h"

namespace predial {

using HealthReport = absl::AnyInvocable<void(HealthResult)>;

// One Health/Check.
class HealthCheck {
 public:
  // `report` is called once, and may destroy the check.
  static std::unique_ptr<HealthCheck> Start(EventLoop& loop, GrpcPoller& poller,
                                            std::shared_ptr<grpc::Channel> channel,
                                            const std::string& service, Duration timeout,
                                            HealthReport report);
  virtual ~HealthCheck() = default;

  // What the RPC ended with, from when `report` is called.
  virtual const grpc::Status& status() const = 0;
};

// One Health/Watch stream. Waits for the channel to be ready, however long that takes.
class HealthWatch {
 public:
  // `ended`: of the stream, which is then told of by kUnimplemented or kNoAnswer. A server that
  // does not know the service says so with kUnimplemented too, in a stream that goes on: it may
  // come to know it.
  using Report = absl::AnyInvocable<void(HealthResult, bool ended)>;

  // `report` is called with every message, and last when the stream has ended.
  static std::unique_ptr<HealthWatch> Start(EventLoop& loop, GrpcPoller& poller,
                                            std::shared_ptr<grpc::Channel> channel,
                                            const std::string& service, Report report);
  virtual ~HealthWatch() = default;
};

}  // namespace predial
