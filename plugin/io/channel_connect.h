// ChannelConnect: brings an ordinary channel to READY, or finds out why it does not get there.
//
// gRPC tells of changes only through a completion queue, and an order for the next one cannot be
// taken back; so the state is looked at. Meanwhile the poller waits in gRPC, so that the handshake
// goes on as fast as its bytes come. The reason of a failure comes from one RPC that does not wait
// for READY: its status has gRPC's last error, with the handshake's.
//
// Threads: the loop's thread only.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "plugin/core/types.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/grpc_poller.h"
#include "plugin/io/health_client.h"

namespace predial {

class ChannelConnect {
 public:
  struct Options {
    // For all of it: a handshake may never end. Above 0.
    Duration timeout;
    // The channel's credentials are not insecure: what fails after the dial is the handshake.
    bool secure = false;
    // The channel goes over a socket that is connected already.
    bool dialed = false;
  };
  // OK, or a DialError() whose message is the cause alone.
  using Done = absl::AnyInvocable<void(absl::Status)>;
  // Between looks.
  static constexpr Duration kLookMin = std::chrono::milliseconds(1);
  static constexpr Duration kLookMax = std::chrono::milliseconds(20);

  // `done` is called once, unless this is destroyed before, never from within the constructor; it
  // may destroy this.
  ChannelConnect(EventLoop& loop, GrpcPoller& poller, std::shared_ptr<grpc::Channel> channel,
                 const Options& options, Done done);
  ~ChannelConnect();
  ChannelConnect(const ChannelConnect&) = delete;
  ChannelConnect& operator=(const ChannelConnect&) = delete;

 private:
  void Look();
  void AskForReason();
  void Finish(absl::Status status);

  EventLoop& loop_;
  GrpcPoller& poller_;
  const std::shared_ptr<grpc::Channel> channel_;
  const Options options_;
  Done done_;
  const Time deadline_;
  std::optional<GrpcPoller::Urgent> urgent_;
  Duration wait_ = kLookMin;
  EventLoop::TimerId look_ = EventLoop::TimerId::kNone;
  std::unique_ptr<HealthCheck> question_;
};

// What gRPC's account of a failed connection says of it. For ChannelConnect and its test.
DialResult ResultOfGrpcError(absl::string_view message, bool secure, bool dialed);

}  // namespace predial
