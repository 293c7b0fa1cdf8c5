#include "plugin/testing/manual_loop.h"

#include <algorithm>
#include <utility>

namespace predial {

void ManualLoop::RunPosted() {
  for (;;) {
    std::vector<Callback> inbox;
    {
      MutexLock lock(mutex_);
      inbox.swap(inbox_);
    }
    if (inbox.empty()) return;
    for (Callback& callback : inbox) {
      callback();
      callback = nullptr;
    }
  }
}

void ManualLoop::RunFor(Duration span) {
  const Time end = now_ + span;
  RunPosted();
  for (auto next = timers_.next(); next && *next <= end; next = timers_.next()) {
    now_ = std::max(now_, *next);
    if (Callback callback = timers_.TakeDue(now_)) callback();
    RunPosted();
  }
  now_ = end;
}

void ManualLoop::ReportEvents(int fd, uint32_t events) {
  for (const auto& [id, watch] : watches_) {
    if (watch->fd != fd) continue;
    const std::shared_ptr<FdWatch> kept = watch;
    kept->callback(events);
    break;
  }
  RunPosted();
}

void ManualLoop::Post(Callback callback) {
  MutexLock lock(mutex_);
  inbox_.push_back(std::move(callback));
}

EventLoop::TimerId ManualLoop::RunAt(Time when, Callback callback) {
  return timers_.Add(when, std::move(callback));
}

void ManualLoop::Cancel(TimerId timer) { timers_.Cancel(timer); }

absl::StatusOr<EventLoop::WatchId> ManualLoop::Watch(int fd, uint32_t /*events*/,
                                                     FdCallback callback) {
  const uint64_t id = ++last_watch_;
  watches_.emplace(id, std::make_shared<FdWatch>(FdWatch{fd, std::move(callback)}));
  return static_cast<WatchId>(id);
}

void ManualLoop::Unwatch(WatchId watch) { watches_.erase(static_cast<uint64_t>(watch)); }

}  // namespace predial
