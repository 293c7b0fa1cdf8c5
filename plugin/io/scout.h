// Scout: tells when an ordinary channel's connection comes up and when it ends, at what age. The
// channel is an anchor's, whose connection is the oldest of its endpoint: see core/lifetime.h.
//
// gRPC tells of changes only through a completion queue, and not at all of those that go by while
// nobody waits; so the state is looked at, often for a young connection and seldom for an old one.
// What is reported as its age is the age at which it was last seen alive.
//
// Threads: the loop's thread only.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "plugin/core/types.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/look_spacing.h"

namespace predial {

class Scout {
 public:
  struct Reports {
    absl::AnyInvocable<void()> up;
    // May destroy the scout.
    absl::AnyInvocable<void(Duration age)> down;
  };

  // Keeps the channel connected.
  Scout(EventLoop& loop, std::shared_ptr<grpc::Channel> channel, Reports reports);
  ~Scout();
  Scout(const Scout&) = delete;
  Scout& operator=(const Scout&) = delete;

 private:
  void Look();

  EventLoop& loop_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::shared_ptr<Reports> reports_;
  std::optional<Time> up_since_;
  Time last_seen_ = {};
  Duration wait_ = kLookMin;  // for a connection to come up
  EventLoop::TimerId look_ = EventLoop::TimerId::kNone;
};

}  // namespace predial
