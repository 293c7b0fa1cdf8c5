// Anchor: the one ordinary gRPC channel to an endpoint in use. It carries the health watch, with
// gRPC's own reconnects.
//
// Threads: the loop's thread only.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "plugin/core/backoff.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/grpc_poller.h"
#include "plugin/io/health_client.h"

namespace predial {

class Anchor {
 public:
  // `report` is called with every word of the health service on `service`, and with kNoAnswer
  // whenever the watch breaks; it is then tried again with backoff. A server without health service
  // is asked again after each kRewatch. `report` may destroy the anchor.
  Anchor(EventLoop& loop, GrpcPoller& poller, std::shared_ptr<grpc::Channel> channel,
         std::string service, BackoffPolicy backoff, HealthReport report);
  ~Anchor();
  Anchor(const Anchor&) = delete;
  Anchor& operator=(const Anchor&) = delete;

  // The server is known to be back: reconnect now, whatever the backoff.
  void Wake();
  // The connection that the watch runs on takes no more RPCs: watch on a new one. Does nothing
  // while there is no watch.
  void Renew();

 private:
  static constexpr Duration kRewatch = std::chrono::minutes(1);

  void Watch();
  void OnReport(HealthResult result, bool ended);

  EventLoop& loop_;
  GrpcPoller& poller_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::string service_;
  const BackoffPolicy backoff_;
  const std::shared_ptr<HealthReport> report_;
  std::unique_ptr<HealthWatch> watch_;
  EventLoop::TimerId retry_ = EventLoop::TimerId::kNone;
  int failures_ = 0;
};

}  // namespace predial
