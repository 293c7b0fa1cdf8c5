// ManualLoop: an EventLoop whose time stands still until the test moves it. No thread of its own:
// everything runs inside the Run* calls, on the test's thread.
//
// Threads: Post() from any thread; the rest on one.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/timer_queue.h"
#include "plugin/mutex.h"

namespace predial {

class ManualLoop : public EventLoop {
 public:
  // Runs what was posted, until nothing is left, without moving the time.
  void RunPosted() ABSL_LOCKS_EXCLUDED(mutex_);

  // Moves the time on by `span`, timer by timer, running everything that falls due.
  void RunFor(Duration span);

  // As if epoll had reported `events` on `fd`. Nothing happens if it is not watched.
  void ReportEvents(int fd, uint32_t events);

  // What is pending: for tests that check that nothing is left behind.
  size_t watches() const { return watches_.size(); }
  bool has_timers() const { return timers_.next().has_value(); }

  void Post(Callback callback) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool InLoop() const override { return true; }
  Time Now() const override { return now_; }
  TimerId RunAt(Time when, Callback callback) override;
  void Cancel(TimerId timer) override;
  absl::StatusOr<WatchId> Watch(int fd, uint32_t events, FdCallback callback) override;
  void Unwatch(WatchId watch) override;

 private:
  struct FdWatch {
    int fd;
    FdCallback callback;
  };

  Time now_ = Time() + std::chrono::hours(1);
  TimerQueue timers_;
  uint64_t last_watch_ = 0;
  std::unordered_map<uint64_t, std::shared_ptr<FdWatch>> watches_;

  Mutex mutex_;
  std::vector<Callback> inbox_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace predial
