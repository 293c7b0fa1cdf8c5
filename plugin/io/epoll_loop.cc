#include "plugin/io/epoll_loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "plugin/io/exit_guard.h"

namespace predial {
namespace {

constexpr uint64_t kWakeupWatch = 0;
constexpr int kEventsPerWait = 64;

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "predial event loop: %s: %s\n", what, std::strerror(errno));
  std::abort();
}

UniqueFd Checked(int fd, const char* what) {
  if (fd < 0) Die(what);
  return UniqueFd(fd);
}

}  // namespace

EpollLoop::EpollLoop()
    : epoll_(Checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wakeup_(Checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kWakeupWatch;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_.get(), &event) != 0) Die("epoll_ctl");
  // Started only now, under the lock that Run() takes first, so that InLoop() sees thread_.
  MutexLock lock(mutex_);
  thread_ = std::thread(&EpollLoop::Run, this);
}

EpollLoop::~EpollLoop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  Wake();
  thread_.join();
}

void EpollLoop::Post(Callback callback) {
  if (forks_ != ForkCount()) return;
  bool first;
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    first = inbox_.empty();
    inbox_.push_back(std::move(callback));
  }
  if (first) Wake();
}

void EpollLoop::Wake() {
  const uint64_t one = 1;
  // A full counter (EAGAIN) wakes just as well.
  while (write(wakeup_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

EventLoop::TimerId EpollLoop::RunAt(Time when, Callback callback) {
  return timers_.Add(when, std::move(callback));
}

void EpollLoop::Cancel(TimerId timer) { timers_.Cancel(timer); }

absl::StatusOr<EventLoop::WatchId> EpollLoop::Watch(int fd, uint32_t events, FdCallback callback) {
  const uint64_t id = ++last_watch_;
  epoll_event event = {};
  event.events = events;
  event.data.u64 = id;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    if (errno != ENOSPC && errno != ENOMEM) Die("epoll_ctl(EPOLL_CTL_ADD)");
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot watch another descriptor: ", std::strerror(errno),
                     "; raise fs.epoll.max_user_watches"));
  }
  watches_.emplace(id, std::make_shared<FdWatch>(FdWatch{fd, std::move(callback)}));
  return static_cast<WatchId>(id);
}

void EpollLoop::Unwatch(WatchId watch) {
  auto found = watches_.find(static_cast<uint64_t>(watch));
  if (found == watches_.end()) return;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->fd, nullptr) != 0) {
    Die("epoll_ctl(EPOLL_CTL_DEL)");
  }
  watches_.erase(found);
}

void EpollLoop::Run() {
  {
    MutexLock lock(mutex_);  // until the constructor has set thread_
  }
  pthread_setname_np(pthread_self(), "predial-loop");
  epoll_event events[kEventsPerWait];
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (stopping_) break;
    }
    const int count = epoll_wait(epoll_.get(), events, kEventsPerWait, TimeoutMillis());
    if (count < 0 && errno != EINTR) Die("epoll_wait");
    const ExitTurn turn;
    if (!turn.allowed()) return;
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kWakeupWatch) {
        uint64_t ignored;
        (void)!read(wakeup_.get(), &ignored, sizeof ignored);
        continue;
      }
      // Gone if an earlier callback of this round unwatched it.
      auto found = watches_.find(events[i].data.u64);
      if (found == watches_.end()) continue;
      const std::shared_ptr<FdWatch> watch = found->second;
      watch->callback(events[i].events);
    }
    RunInbox();
    RunTimers();
  }
  // Callbacks may own things that must go on this thread.
  std::vector<Callback> unrun;
  {
    MutexLock lock(mutex_);
    unrun.swap(inbox_);
  }
  unrun.clear();
  watches_.clear();
  timers_ = TimerQueue();
}

void EpollLoop::RunInbox() {
  std::vector<Callback> inbox;
  {
    MutexLock lock(mutex_);
    inbox.swap(inbox_);
  }
  for (Callback& callback : inbox) {
    callback();
    callback = nullptr;  // what it owns goes now, in order
  }
}

void EpollLoop::RunTimers() {
  const Time now = Now();  // timers added meanwhile wait for the next round
  while (Callback callback = timers_.TakeDue(now)) callback();
}

int EpollLoop::TimeoutMillis() const {
  const auto next = timers_.next();
  if (!next) return -1;
  const auto wait = *next - Now();
  if (wait <= Duration::zero()) return 0;
  // Rounded up: waking early would only spin.
  constexpr int64_t kMillisMax = 60 * 60 * 1000;
  const int64_t millis = std::chrono::duration_cast<std::chrono::milliseconds>(wait).count() + 1;
  return static_cast<int>(std::min(millis, kMillisMax));
}

}  // namespace predial
