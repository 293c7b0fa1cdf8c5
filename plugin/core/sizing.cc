#include "plugin/core/sizing.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace predial {

Sizing::Sizing(const SizingPolicy& policy, Time start)
    : policy_(policy),
      window_(policy.idle_timeout / 3),
      wanted_(std::clamp(policy.idle_min, policy.min, policy.max)),
      held_(wanted_),
      needed_(policy.max, start - policy.idle_timeout),
      banded_(policy.max, start - policy.idle_timeout) {}

int Sizing::Roomy(uint32_t stream_limit) const {
  const auto own_limit = static_cast<uint32_t>(policy_.streams_max);
  if (own_limit > 0 && (stream_limit == 0 || own_limit < stream_limit)) stream_limit = own_limit;
  if (stream_limit == 0) return 0;
  constexpr double kMost = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp(policy_.streams_filled * stream_limit, 1.0, kMost));
}

int Sizing::ParallelMax(int endpoints) const {
  // More than max are never needed, so that the sum does not overflow.
  const int parallel = std::min(policy_.parallel_max, policy_.max);
  return endpoints <= 1 ? parallel : (parallel + endpoints - 1) / endpoints * endpoints;
}

int Sizing::StreamsPerMember(uint32_t stream_limit, int members, int endpoints) const {
  const int roomy = Roomy(stream_limit);
  const int limit = roomy == 0 ? std::numeric_limits<int>::max() : roomy;
  const bool parallel = members >= ParallelMax(endpoints) + policy_.idle_min;
  return parallel ? limit : std::min(policy_.streams_target, limit);
}

int Sizing::MembersFor(double in_flight, double share, uint32_t stream_limit, int endpoints,
                       int callers) const {
  double needed = std::min<double>(std::ceil(in_flight / (share * policy_.streams_target)),
                                   ParallelMax(endpoints));
  if (const int roomy = Roomy(stream_limit); roomy > 0) {
    needed = std::max(needed, std::ceil(in_flight / (share * roomy)));
  }
  needed = std::max<double>(needed, callers);
  return static_cast<int>(
      std::clamp<double>(needed + policy_.idle_min, static_cast<double>(policy_.min), policy_.max));
}

void Sizing::OnLoad(Time now, int64_t in_flight, uint32_t stream_limit, int endpoints,
                    int callers) {
  const auto load = static_cast<double>(in_flight);
  wanted_ = MembersFor(load, 1, stream_limit, endpoints, callers);
  const int banded = MembersFor(load, kBand, stream_limit, endpoints, callers);
  std::fill(needed_.begin(), needed_.begin() + wanted_, now);
  std::fill(banded_.begin(), banded_.begin() + banded, now);
  held_ = std::max(held_, wanted_);
  if (const int kept = Kept(now); kept < held_) {
    held_ = kept;
    stepped_ = now;
  }
}

Time Sizing::LeaveAt(int count) const {
  return std::max(needed_[count - 1] + policy_.idle_timeout, banded_[count - 1] + window_);
}

int Sizing::Needed(Time now) const {
  int needed = wanted_;
  while (needed < held_ && now < LeaveAt(needed + 1)) ++needed;
  return needed;
}

int Sizing::Kept(Time now) const {
  const int needed = Needed(now);
  if (needed >= held_) return needed;
  if (stepped_ != Time() && now - stepped_ < std::min(kStepSpacing, window_)) return held_;
  return std::max(needed, held_ - (held_ + 1) / 2);
}

Time Sizing::NextShrink(Time now) const {
  const int kept = Kept(now);
  if (kept <= policy_.min) return Time::max();
  const Time leave_at = LeaveAt(kept);
  if (stepped_ == Time()) return leave_at;
  return std::max(leave_at, stepped_ + std::min(kStepSpacing, window_));
}

}  // namespace predial
