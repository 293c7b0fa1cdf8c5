// EpollLoop: the EventLoop of production. One thread: epoll for descriptors, a queue for timers, an
// inbox with an eventfd for other threads.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/fork_guard.h"
#include "plugin/io/timer_queue.h"
#include "plugin/io/unique_fd.h"
#include "plugin/mutex.h"

namespace predial {

class EpollLoop : public EventLoop {
 public:
  // Starts the thread. Aborts if the process has no descriptor or thread left for it.
  EpollLoop();
  // Stops the loop and joins its thread; what was not run by then is destroyed. Not on the loop's
  // own thread.
  ~EpollLoop() override;

  // In a forked child it only destroys the callback: the loop's thread is the parent's.
  void Post(Callback callback) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool InLoop() const override { return std::this_thread::get_id() == thread_.get_id(); }
  Time Now() const override { return Clock::now(); }
  TimerId RunAt(Time when, Callback callback) override;
  void Cancel(TimerId timer) override;
  absl::StatusOr<WatchId> Watch(int fd, uint32_t events, FdCallback callback) override;
  void Unwatch(WatchId watch) override;

 private:
  struct FdWatch {
    int fd;
    FdCallback callback;
  };

  void Run();
  void RunInbox() ABSL_LOCKS_EXCLUDED(mutex_);
  void RunTimers();
  int TimeoutMillis() const;
  void Wake();

  const UniqueFd epoll_;
  const UniqueFd wakeup_;  // an eventfd
  const uint32_t forks_ = ForkCount();

  Mutex mutex_;
  std::vector<Callback> inbox_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  // Of the loop's thread. Watches are shared with the dispatch in progress, so that a callback may
  // unwatch itself.
  TimerQueue timers_;
  uint64_t last_watch_ = 0;
  std::unordered_map<uint64_t, std::shared_ptr<FdWatch>> watches_;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace predial
