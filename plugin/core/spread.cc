#include "plugin/core/spread.h"

#include <algorithm>

namespace predial {

void Spread::Judge(Time now, bool gain) {
  try_.reset();
  if (gain) {
    in_vain_ = 0;
    return;
  }
  if (++in_vain_ < kTriesMax) return;
  const int doublings = std::min(in_vain_ - kTriesMax, 10);
  pause_until_ = now + std::min<Duration>(kPauseMin * (1 << doublings), kPauseMax);
}

void Spread::OnNamed(Time now, const std::string& backend, Time began, int here, int named) {
  if (seen_.count(backend) == 0) {
    in_vain_ = 0;
    pause_until_ = {};
    if (seen_.size() >= kSeenMax) {
      seen_.erase(std::min_element(seen_.begin(), seen_.end(), [](const auto& a, const auto& b) {
        return a.second < b.second;
      }));
    }
  }
  seen_[backend] = now;
  if (!try_ || began < try_->since) return;
  const int fair = std::max(named / static_cast<int>(seen_.size()), 1);
  Judge(now, here <= fair && here < try_->members);
}

std::optional<MemberId> Spread::Next(Time now, const std::vector<Held>& members) {
  tokens_ = std::min(kBurst, tokens_ + std::chrono::duration<double>(now - refilled_) /
                                           std::chrono::duration<double>(kRefill));
  refilled_ = now;
  if (try_) {
    if (now - try_->since >= kPatience) Judge(now, false);
    return std::nullopt;
  }

  std::map<std::string, int> counts;
  for (const Held& member : members) {
    if (!member.backend.empty()) {
      ++counts[member.backend];
    } else if (now - member.ready_since < kSettle) {
      return std::nullopt;
    }
  }
  // The list of members may be longer than what is remembered.
  for (auto& [backend, when] : seen_) {
    if (counts.count(backend) > 0) when = now;
  }
  for (auto next = seen_.begin(); next != seen_.end();) {
    next = now - next->second >= kRemember ? seen_.erase(next) : std::next(next);
  }
  for (const auto& [backend, when] : seen_) counts[backend];  // 0, if it has none
  if (counts.empty()) return std::nullopt;
  const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto least = std::min_element(counts.begin(), counts.end(), by_count);
  const auto most = std::max_element(counts.begin(), counts.end(), by_count);
  const int others = counts.size() == 1 ? 0 : least->second;
  if (most->second - others < 2) return std::nullopt;
  if (now < pause_until_ || tokens_ < 1) return std::nullopt;

  const Held* gentlest = nullptr;
  for (const Held& member : members) {
    if (member.backend != most->first) continue;
    if (gentlest == nullptr || member.in_flight < gentlest->in_flight) gentlest = &member;
  }
  tokens_ -= 1;
  try_ = Try{now, most->second};
  return gentlest->id;
}

}  // namespace predial
