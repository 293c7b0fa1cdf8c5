// TimerQueue: what is to run at which time. The timers of every EventLoop.
//
// Threads: thread-compatible. Complexity: O(log n) to add, cancel and run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "plugin/io/event_loop.h"

namespace predial {

class TimerQueue {
 public:
  EventLoop::TimerId Add(Time when, EventLoop::Callback callback) {
    const auto id = static_cast<EventLoop::TimerId>(++last_);
    timers_.emplace(Key{when, id}, std::move(callback));
    times_.emplace(id, when);
    return id;
  }

  void Cancel(EventLoop::TimerId id) {
    auto time = times_.find(id);
    if (time == times_.end()) return;
    timers_.erase(Key{time->second, id});
    times_.erase(time);
  }

  // When the next timer is due; nullopt if there is none.
  std::optional<Time> next() const {
    if (timers_.empty()) return std::nullopt;
    return timers_.begin()->first.first;
  }

  // Takes the first timer that is due by `now`; an empty callback if none is.
  EventLoop::Callback TakeDue(Time now) {
    if (timers_.empty() || timers_.begin()->first.first > now) return nullptr;
    auto first = timers_.begin();
    EventLoop::Callback callback = std::move(first->second);
    times_.erase(first->first.second);
    timers_.erase(first);
    return callback;
  }

 private:
  using Key = std::pair<Time, EventLoop::TimerId>;

  uint64_t last_ = 0;
  std::map<Key, EventLoop::Callback> timers_;
  std::map<EventLoop::TimerId, Time> times_;
};

}  // namespace predial
