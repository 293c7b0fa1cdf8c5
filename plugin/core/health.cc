#include "plugin/core/health.h"

namespace predial {

bool IsPanic(const HealthPolicy& policy, const std::vector<EndpointHealth>& endpoints) {
  double ejected = 0;
  int counted = 0;
  for (const EndpointHealth& endpoint : endpoints) {
    if (!endpoint.serving) {
      ++counted;
      ++ejected;
      continue;
    }
    const int members = endpoint.in_use + endpoint.ejected;
    if (members == 0) continue;
    ++counted;
    ejected += static_cast<double>(endpoint.ejected) / members;
  }
  return ejected > policy.panic_threshold * counted;
}

Time ChecksTogether(Time first, uint64_t pool) {
  constexpr uint64_t kPools = 64;
  constexpr uint64_t kMoments = 16;
  return first - (pool / kPools % kMoments) * std::chrono::milliseconds(100);
}

Time NextCheck(const HealthPolicy& policy, const Member& member) {
  if (!policy.enabled || member.check_pending) return Time::max();
  if (member.state() != MemberState::kReady && member.state() != MemberState::kEjected) {
    return Time::max();
  }
  // RPCs, which it gets in a panic, do not readmit it.
  const bool ejected = member.state() == MemberState::kEjected;
  const Time latest = (ejected ? member.last_check : member.last_activity) + policy.interval;
  return latest - (latest - policy.together) % (policy.interval / 2);
}

}  // namespace predial
