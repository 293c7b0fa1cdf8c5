#include "plugin/core/lifetime.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace predial {
namespace {

constexpr size_t kJudgedMax = 8;
constexpr size_t kEndsMax = 1024;

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

void Lifetime::OnScoutDown(Time now, Duration age, int survivors, Time oldest) {
  const Time seen = scout_since_ ? *scout_since_ + age : now;
  scout_since_.reset();
  if (!policy_.proven) return;
  if (scout_end_ && !scout_judged_) JudgeScout(*scout_end_);
  scout_end_ = ScoutEnd{seen, now, age, survivors, oldest};
  scout_judged_ = false;
}

void Lifetime::OnScoutGone() { scout_since_.reset(); }

void Lifetime::OnMemberEnded(Time now, Duration age, uint64_t rpcs, bool busy) {
  if (!policy_.proven) return;
  const bool has_scout = scout_since_ || scout_end_;
  if (!has_scout && (!busy || rpcs < kRpcsMin)) return;  // tells nothing
  Duration late = {};
  if (scout_since_) {
    late = std::clamp<Duration>((now - *scout_since_) / 16, kTogether / 10, kScoutLateMax);
  }
  if (ends_.size() == kEndsMax) ends_.pop_front();
  ends_.push_back({now, age, rpcs, busy, now + 2 * kTogether + late});
}

bool Lifetime::Settle(Time now) {
  if (scout_end_ && !scout_judged_ && now >= scout_end_->at + kTogether) JudgeScout(*scout_end_);
  while (!ends_.empty() && now >= ends_.front().judge_at) {
    JudgeMember(ends_.front());
    ends_.pop_front();
  }
  if (age_limit_ && scout_since_ && now - *scout_since_ > Scale(*age_limit_, kDisproof)) {
    age_limit_.reset();
  }
  if (now >= forget_at_) {
    rpcs_limit_.reset();
    if (age_guessed_) age_limit_.reset();
    forget_at_ = Time::max();
    relearn_ = std::min(2 * relearn_, kRelearnMax);
  }
  const Limits limits{age_limit_, rpcs_limit_};
  return std::exchange(settled_, limits) != limits;
}

Time Lifetime::NextSettle() const {
  Time next = forget_at_;
  if (scout_end_ && !scout_judged_) next = std::min(next, scout_end_->at + kTogether);
  if (!ends_.empty()) next = std::min(next, ends_.front().judge_at);
  if (age_limit_ && scout_since_) {
    next = std::min(next, *scout_since_ + Scale(*age_limit_, kDisproof) + Duration(1));
  }
  return next;
}

bool Lifetime::IsTogether(const MemberEnd& member, const ScoutEnd& scout) {
  return member.at >= scout.seen - kTogether && member.at <= scout.at + kTogether;
}

void Lifetime::JudgeScout(const ScoutEnd& end) {
  scout_judged_ = true;
  int members = end.survivors;
  int with_it = 0;
  for (const MemberEnd& member : ends_) {
    if (!IsTogether(member, end)) continue;
    ++with_it;
    if (member.at <= end.at) ++members;  // it is not among the survivors
  }
  if (members == 0 || end.age < kAgeMin) return;
  if (2 * with_it >= members) {
    const bool again = together_age_ && Same(*together_age_, end.age);
    together_age_ = end.age;
    if (!again) {
      age_limit_.reset();
      return;
    }
  } else if (end.seen - end.oldest > Scale(end.age, kSame) + kTogether) {
    return;  // an older one lives
  }
  age_limit_ = age_limit_ ? std::min(*age_limit_, end.age) : end.age;
  age_guessed_ = false;
}

void Lifetime::JudgeMember(const MemberEnd& end) {
  if (scout_end_ && IsTogether(end, *scout_end_)) return;
  if (!end.busy || end.rpcs < kRpcsMin) return;
  for (const MemberEnd& before : judged_) {
    if (end.at - end.age < before.at) continue;  // side by side
    if (Same(before.rpcs, end.rpcs)) {
      rpcs_limit_ = std::min({before.rpcs, end.rpcs, rpcs_limit_.value_or(UINT64_MAX)});
      forget_at_ = end.at + relearn_;
    } else if (!scout_since_ && end.age >= kAgeMin && Same(before.age, end.age)) {
      // Without a scout it can only be guessed: the same age, after different work.
      age_limit_ = std::min({before.age, end.age, age_limit_.value_or(end.age)});
      age_guessed_ = true;
      forget_at_ = end.at + relearn_;
    }
  }
  judged_.push_back(end);
  if (judged_.size() > kJudgedMax) judged_.pop_front();
}

Lifetime::Due Lifetime::DueByAge(Time born, double jitter) const {
  const double less = 1 - kJitter * jitter;
  const double share = kShare * less;
  Due due;
  if (policy_.age_max != Duration::max()) {
    due = {born + Scale(policy_.age_max, share), RotateReason::kAge};
  }
  Time proven = Time::max();
  if (age_limit_) {
    proven = born + std::max(Scale(*age_limit_, share), kRotateAfter);
  } else if (policy_.proven && scout_since_) {
    // When the member's age reaches the share of the scout's: t - born = share * (t - scout). One
    // that is older than the scout has that much time from the scout's start on.
    const Duration head = std::max<Duration>(born - *scout_since_, Duration(0));
    proven = std::max(born, *scout_since_) +
             std::max(Scale(head, share / (1 - share)), Scale(kStart, less));
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
