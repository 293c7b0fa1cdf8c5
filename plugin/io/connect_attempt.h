// ConnectAttempt: one connect() to one address, from its start to its end. It knows no time limit:
// destroy it to give up.
//
//   Start: connect() -- 0 ----------------------------> done
//             |    '--- EAGAIN (unix: backlog full) --> again after a delay
//             '-- EINPROGRESS --> writable: SO_ERROR -> done
//
// Threads:   the loop's thread only.
// Ownership: owns the socket until it is done.
#pragma once

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/unique_fd.h"

namespace predial {

class ConnectAttempt {
 public:
  // The connected socket, or a DialError() that names the address.
  using Done = absl::AnyInvocable<void(absl::StatusOr<UniqueFd>)>;

  // `socket` must be non-blocking. `done` is called once, from the loop, never from within the
  // constructor; it may destroy this object. After the destruction it is not called.
  ConnectAttempt(EventLoop& loop, UniqueFd socket, const Address& peer, Done done);
  ~ConnectAttempt();
  ConnectAttempt(const ConnectAttempt&) = delete;

  const Address& peer() const { return peer_; }

 private:
  void Connect();
  void OnEvents();
  // What connect() came to, for a socket without a pending error.
  absl::Status CheckConnected() const;
  void FinishSoon(absl::Status status);
  void Finish(absl::Status status);
  void Disarm();

  EventLoop& loop_;
  UniqueFd socket_;
  const Address peer_;
  Done done_;
  EventLoop::WatchId watch_ = EventLoop::WatchId::kNone;
  EventLoop::TimerId timer_ = EventLoop::TimerId::kNone;
  Duration retry_delay_ = std::chrono::milliseconds(1);
};

}  // namespace predial
