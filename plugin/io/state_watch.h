// StateWatch: tells when a managed member's channel has left READY: its connection takes no more
// RPCs (GOAWAY), or has ended. gRPC goes on with those in flight, and would connect anew with the
// next.
//
// It looks now and then, as Scout does and for the same reason. Nothing is lost in between.
//
// Threads: the loop's thread only.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "absl/functional/any_invocable.h"
#include "plugin/core/types.h"
#include "plugin/io/event_loop.h"

namespace predial {

class StateWatch {
 public:
  // `channel` is READY, or was a moment ago. `left` is called once, unless the watch is destroyed
  // before; it may destroy the watch.
  StateWatch(EventLoop& loop, std::shared_ptr<grpc::Channel> channel,
             absl::AnyInvocable<void()> left);
  ~StateWatch();
  StateWatch(const StateWatch&) = delete;
  StateWatch& operator=(const StateWatch&) = delete;

 private:
  void LookLater();
  void Look();

  EventLoop& loop_;
  const std::shared_ptr<grpc::Channel> channel_;
  absl::AnyInvocable<void()> left_;
  const Time began_;
  EventLoop::TimerId look_ = EventLoop::TimerId::kNone;
};

}  // namespace predial
