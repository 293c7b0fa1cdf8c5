// RecordedSignals: what a MemberTable signalled, for its tests.
//
// Threads: thread-safe.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "plugin/core/types.h"
#include "plugin/member_table.h"
#include "plugin/mutex.h"

namespace predial {

// Each Take gives what came since the last.
class RecordedSignals {
 public:
  MemberTable::Signals Receivers() {
    MemberTable::Signals signals;
    signals.attention = [this] {
      MutexLock lock(mutex_);
      ++attentions_;
    };
    signals.idle = [this](Slot* slot) {
      MutexLock lock(mutex_);
      idle_.push_back(slot);
    };
    signals.going_away = [this](MemberId member, bool /*without_a_word*/) {
      MutexLock lock(mutex_);
      going_away_.push_back(member);
    };
    signals.worn = [this](MemberId member) {
      MutexLock lock(mutex_);
      worn_.push_back(member);
    };
    signals.failing = [this](MemberId member, FailureStreak streak) {
      MutexLock lock(mutex_);
      failing_.emplace_back(member, streak);
    };
    signals.unanswered = [this](MemberId member) {
      MutexLock lock(mutex_);
      unanswered_.push_back(member);
    };
    signals.named = [this](MemberId member, std::string backend) {
      MutexLock lock(mutex_);
      named_.emplace_back(member, std::move(backend));
    };
    signals.room = [this] {
      MutexLock lock(mutex_);
      ++rooms_;
    };
    return signals;
  }

  int TakeAttentions() {
    MutexLock lock(mutex_);
    return std::exchange(attentions_, 0);
  }
  int TakeRooms() {
    MutexLock lock(mutex_);
    return std::exchange(rooms_, 0);
  }
  std::vector<Slot*> TakeIdle() {
    MutexLock lock(mutex_);
    return std::exchange(idle_, {});
  }
  std::vector<MemberId> TakeGoingAway() {
    MutexLock lock(mutex_);
    return std::exchange(going_away_, {});
  }
  std::vector<MemberId> TakeWorn() {
    MutexLock lock(mutex_);
    return std::exchange(worn_, {});
  }
  std::vector<std::pair<MemberId, FailureStreak>> TakeFailing() {
    MutexLock lock(mutex_);
    return std::exchange(failing_, {});
  }
  std::vector<MemberId> TakeUnanswered() {
    MutexLock lock(mutex_);
    return std::exchange(unanswered_, {});
  }
  std::vector<std::pair<MemberId, std::string>> TakeNamed() {
    MutexLock lock(mutex_);
    return std::exchange(named_, {});
  }

 private:
  Mutex mutex_;
  int attentions_ ABSL_GUARDED_BY(mutex_) = 0;
  int rooms_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Slot*> idle_ ABSL_GUARDED_BY(mutex_);
  std::vector<MemberId> going_away_ ABSL_GUARDED_BY(mutex_);
  std::vector<MemberId> worn_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::pair<MemberId, FailureStreak>> failing_ ABSL_GUARDED_BY(mutex_);
  std::vector<MemberId> unanswered_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::pair<MemberId, std::string>> named_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace predial
