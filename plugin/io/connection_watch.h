// ConnectionWatch: tells when either side of a connection closes, without reading from it.
//
// It watches a duplicate of the socket, because the socket itself is gRPC's. The duplicate keeps
// the kernel's socket alive, and registered with gRPC's own epoll, until the watch is destroyed:
// destroy it as soon as it has reported.
//
// Threads: the loop's thread only.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/unique_fd.h"

namespace predial {

// Whether either side has closed the connection, as far as the kernel knows. Thread-safe.
bool HasHungUp(const UniqueFd& socket);

// Has everybody who waits for something to happen to the socket look again, if the connection has
// ended in both directions; else does nothing. Thread-safe.
//
// For gRPC, which misses a RST that comes right behind the last bytes: it asks the kernel with
// those how much more there is to read (TCP_INQ), is told 0, as a RST is nothing to read, and waits
// for an event that it has had already. Its RPCs would wait for their deadlines.
void WakeIfEnded(const UniqueFd& socket);

class ConnectionWatch {
 public:
  // `on_closed` is called once, unless the watch is destroyed before; it may destroy the watch.
  // A DialError() with kLocalLimit when there is no descriptor left for the duplicate, or no room
  // for the watch.
  static absl::StatusOr<std::unique_ptr<ConnectionWatch>> Create(
      EventLoop& loop, int fd, absl::AnyInvocable<void()> on_closed);
  ~ConnectionWatch();
  ConnectionWatch(const ConnectionWatch&) = delete;
  ConnectionWatch& operator=(const ConnectionWatch&) = delete;

  // Ends the connection, whatever is in flight on it.
  void ForceClose();

  // The duplicate, shared with those that want to look at the connection themselves.
  const std::shared_ptr<const UniqueFd>& socket() const { return fd_; }

 private:
  ConnectionWatch(EventLoop& loop, UniqueFd fd, absl::AnyInvocable<void()> on_closed);
  void OnEvents();

  EventLoop& loop_;
  const std::shared_ptr<const UniqueFd> fd_;
  absl::AnyInvocable<void()> on_closed_;
  EventLoop::WatchId watch_ = EventLoop::WatchId::kNone;
};

}  // namespace predial
