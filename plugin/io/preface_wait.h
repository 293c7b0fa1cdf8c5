// PrefaceWait: waits a little for a new connection to show its server's first bytes, which should
// be an HTTP/2 SETTINGS frame, and leaves them unread for gRPC.
//
// Threads: the loop's thread only.
#pragma once

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "plugin/core/http2_settings.h"
#include "plugin/core/types.h"
#include "plugin/io/event_loop.h"

namespace predial {

class PrefaceWait {
 public:
  // kHttp2 or kOther as soon as that is known, kIncomplete if it is not after the wait; or why the
  // connection failed meanwhile.
  using Done = absl::AnyInvocable<void(absl::StatusOr<ServerPreface>)>;

  // `fd` must stay open until `done` was called, or the wait destroyed. `done` is called once,
  // never from within the constructor, and may destroy the wait.
  PrefaceWait(EventLoop& loop, int fd, Duration wait, Done done);
  ~PrefaceWait();
  PrefaceWait(const PrefaceWait&) = delete;
  PrefaceWait& operator=(const PrefaceWait&) = delete;

 private:
  void Look(bool last);
  void Finish(absl::StatusOr<ServerPreface> result);

  EventLoop& loop_;
  const int fd_;
  Done done_;
  EventLoop::WatchId watch_ = EventLoop::WatchId::kNone;
  EventLoop::TimerId first_look_ = EventLoop::TimerId::kNone;
  EventLoop::TimerId end_ = EventLoop::TimerId::kNone;
};

}  // namespace predial
