#include "plugin/core/sizing.h"

#include <algorithm>

namespace predial {

Sizing::Sizing(const SizingPolicy& policy, Time start)
    : policy_(policy),
      wanted_(std::clamp(policy.idle_min, policy.min, policy.max)),
      needed_(policy.max, start - policy.idle_timeout) {}

int Sizing::StreamsPerMember(uint32_t stream_limit) const {
  const auto own_limit = static_cast<uint32_t>(policy_.streams_max);
  if (own_limit > 0 && (stream_limit == 0 || own_limit < stream_limit)) stream_limit = own_limit;
  if (stream_limit == 0) return policy_.streams_target;
  const int64_t roomy = std::max<int64_t>(1, static_cast<int64_t>(stream_limit) * 4 / 5);
  return static_cast<int>(std::min<int64_t>(policy_.streams_target, roomy));
}

void Sizing::OnLoad(Time now, int64_t in_flight, uint32_t stream_limit) {
  const int64_t each = StreamsPerMember(stream_limit);
  const int64_t needed = (in_flight + each - 1) / each + policy_.idle_min;
  wanted_ = static_cast<int>(std::clamp<int64_t>(needed, policy_.min, policy_.max));
  std::fill(needed_.begin(), needed_.begin() + wanted_, now);
}

int Sizing::Kept(Time now) const {
  int kept = wanted_;
  while (kept < policy_.max && now - needed_[kept] < policy_.idle_timeout) ++kept;
  return kept;
}

Time Sizing::NextShrink(Time now) const {
  const int kept = Kept(now);
  return kept > policy_.min ? needed_[kept - 1] + policy_.idle_timeout : Time::max();
}

}  // namespace predial
