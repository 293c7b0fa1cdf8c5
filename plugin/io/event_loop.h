// EventLoop: where every decision of a pool is taken and every callback of its IO runs.
//
// One thread runs the loop; all of one process's pools share one (see runtime.h).
//
// Threads:   Post() and InLoop() from any thread; everything else on the loop's thread only.
// Ownership: the loop owns the callbacks until they ran or were cancelled; it never owns fds.
// Order:     posted callbacks run in the order of Post(); timers in the order of their times.
// Errors:    epoll failures other than EMFILE/ENOMEM on Watch() abort: they are bugs.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "plugin/core/types.h"

namespace predial {

class EventLoop {
 public:
  enum class TimerId : uint64_t { kNone = 0 };
  enum class WatchId : uint64_t { kNone = 0 };
  using Callback = absl::AnyInvocable<void()>;
  // `events` are EPOLLIN, EPOLLRDHUP, … as epoll reported them.
  using FdCallback = absl::AnyInvocable<void(uint32_t events)>;

  virtual ~EventLoop() = default;

  // Runs `callback` on the loop's thread, soon. Callbacks posted to a loop that has stopped are
  // destroyed without being run.
  virtual void Post(Callback callback) = 0;
  virtual bool InLoop() const = 0;

  virtual Time Now() const = 0;
  virtual TimerId RunAt(Time when, Callback callback) = 0;
  // Cancelling a timer that ran, or TimerId::kNone, does nothing.
  virtual void Cancel(TimerId timer) = 0;

  // Level-triggered, until Unwatch(). `fd` must stay open meanwhile, and be watched once at most.
  // RESOURCE_EXHAUSTED when the kernel has no room for one more.
  virtual absl::StatusOr<WatchId> Watch(int fd, uint32_t events, FdCallback callback) = 0;
  // May be called from within the watch's own callback. WatchId::kNone does nothing.
  virtual void Unwatch(WatchId watch) = 0;
};

}  // namespace predial
