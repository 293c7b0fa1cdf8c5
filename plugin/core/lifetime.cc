#include "plugin/core/lifetime.h"

#include <algorithm>
#include <cmath>

namespace predial {
namespace {

constexpr size_t kJudgedMax = 8;

template <typename Number>
bool Same(Number a, Number b) {
  const auto low = static_cast<double>(std::min(a, b));
  const auto high = static_cast<double>(std::max(a, b));
  return high <= low * Lifetime::kSame;
}

bool Same(Duration a, Duration b) { return Same(a.count(), b.count()); }

Duration Scale(Duration duration, double factor) {
  return Duration(std::llround(static_cast<double>(duration.count()) * factor));
}

uint64_t Scale(uint64_t count, double factor) {
  if (count == UINT64_MAX) return count;
  return std::max<uint64_t>(1, static_cast<uint64_t>(static_cast<double>(count) * factor));
}

}  // namespace

void Lifetime::OnScoutUp(Time now) { scout_since_ = now; }

void Lifetime::OnScoutDown(Time now, Duration age, int members) {
  scout_since_.reset();
  last_scout_end_ = now;
  if (!policy_.proven || age < kAgeMin) return;
  // Those that ended just before were there when it began.
  for (const MemberEnd& end : ends_) {
    if (now - end.at <= kTogether) ++members;
  }
  scout_end_ = ScoutEnd{now, age, members};
}

void Lifetime::OnMemberEnded(Time now, Duration age, uint64_t rpcs, bool busy) {
  if (!policy_.proven) return;
  const bool has_scout = scout_since_ || last_scout_end_;
  if (!has_scout && (!busy || rpcs < kRpcsMin)) return;  // tells nothing
  ends_.push_back({now, age, rpcs, busy});
}

bool Lifetime::Settle(Time now) {
  bool changed = false;
  if (scout_end_ && now - scout_end_->at >= kTogether) {
    changed |= JudgeScout(*scout_end_);
    scout_end_.reset();
  }
  while (!ends_.empty() && now - ends_.front().at >= 2 * kTogether) {
    changed |= JudgeMember(ends_.front());
    ends_.pop_front();
  }
  // The scout has outlived it.
  if (age_limit_ && scout_since_ && now - *scout_since_ > Scale(*age_limit_, 2 * kSame)) {
    age_limit_.reset();
    changed = true;
  }
  if (rpcs_limit_ && now - rpcs_learned_ >= kRelearn) {
    rpcs_limit_.reset();
    judged_.clear();
    changed = true;
  }
  return changed;
}

Time Lifetime::NextSettle() const {
  Time next = Time::max();
  if (scout_end_) next = std::min(next, scout_end_->at + kTogether);
  if (!ends_.empty()) next = std::min(next, ends_.front().at + 2 * kTogether);
  if (age_limit_ && scout_since_) {
    next = std::min(next, *scout_since_ + Scale(*age_limit_, 2 * kSame) + Duration(1));
  }
  if (rpcs_limit_) next = std::min(next, rpcs_learned_ + kRelearn);
  return next;
}

bool Lifetime::JudgeScout(const ScoutEnd& end) {
  if (end.members == 0) return false;
  const auto with_it = std::count_if(ends_.begin(), ends_.end(), [&](const MemberEnd& member) {
    return member.at >= end.at - kTogether && member.at <= end.at + kTogether;
  });
  if (2 * with_it >= end.members) {
    const bool again = together_age_ && Same(*together_age_, end.age);
    together_age_ = end.age;
    if (!again) return false;
  }
  const Duration limit = age_limit_ ? std::min(*age_limit_, end.age) : end.age;
  const bool changed = age_limit_ != limit;
  age_limit_ = limit;
  return changed;
}

bool Lifetime::JudgeMember(const MemberEnd& end) {
  if (last_scout_end_ && *last_scout_end_ >= end.at - kTogether &&
      *last_scout_end_ <= end.at + kTogether) {
    return false;
  }
  if (!end.busy || end.rpcs < kRpcsMin) return false;
  bool changed = false;
  for (const MemberEnd& before : judged_) {
    if (Same(before.rpcs, end.rpcs)) {
      const uint64_t limit = std::min({before.rpcs, end.rpcs, rpcs_limit_.value_or(UINT64_MAX)});
      changed |= rpcs_limit_ != limit;
      rpcs_limit_ = limit;
      rpcs_learned_ = end.at;
    } else if (!scout_since_ && Same(before.age, end.age) && end.age >= kAgeMin &&
               end.at - before.at > kTogether) {
      // Without a scout it can only be guessed: the same age, after different work, at another
      // time.
      const Duration limit = age_limit_ ? std::min(*age_limit_, end.age) : end.age;
      changed |= age_limit_ != limit;
      age_limit_ = limit;
    }
  }
  judged_.push_back(end);
  if (judged_.size() > kJudgedMax) judged_.pop_front();
  return changed;
}

Lifetime::Due Lifetime::DueByAge(Time born, double jitter) const {
  const double less = 1 - kJitter * jitter;
  Due due;
  if (policy_.age_max != Duration::max()) {
    due = {born + Scale(policy_.age_max, less), RotateReason::kAge};
  }
  Time proven = Time::max();
  if (age_limit_) {
    proven = born + Scale(*age_limit_, kShare * less);
  } else if (policy_.proven && scout_since_) {
    // Where the member's age has reached the share of the scout's: t - born = k (t - scout).
    const double k = kShare * less;
    const Duration head = born - *scout_since_;  // how much older the scout is
    proven = born + std::max(Scale(head, k / (1 - k)), Scale(kStart, less));
  }
  if (proven < due.at) due = {proven, RotateReason::kProvenAge};
  return due;
}

Lifetime::Rpcs Lifetime::RpcsOf(double jitter) const {
  const double share = kShare * (1 - kJitter * jitter);
  Rpcs rpcs;
  if (policy_.rpcs_max != UINT64_MAX) {
    rpcs = {Scale(policy_.rpcs_max, share), policy_.rpcs_max, RotateReason::kRpcs};
  }
  if (rpcs_limit_ && *rpcs_limit_ < rpcs.max) {
    rpcs = {Scale(*rpcs_limit_, share), *rpcs_limit_, RotateReason::kProvenRpcs};
  }
  return rpcs;
}

}  // namespace predial
