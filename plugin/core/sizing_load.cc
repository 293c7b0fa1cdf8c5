// Sizing: what a sample of the load says of all members together, what is made of it, and where
// streams go meanwhile.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/core/pool_core.h"

namespace predial {

int PoolCore::usable_endpoints() const {
  return static_cast<int>(std::count_if(endpoints_.begin(), endpoints_.end(),
                                        [&](const auto& entry) { return IsUsable(entry.second); }));
}

SizeController::Load PoolCore::LoadOf(const LoadSample& load) const {
  SizeController::Load all;
  for (const LoadSample::Of& sample : load.members) {
    const auto found = members_.find(sample.member);
    if (found == members_.end()) continue;
    const Member& member = found->second;
    all.in_flight += sample.in_flight;
    // Counters of one member never fall, but a sample may be of an older state than the last one.
    if (sample.rpcs > member.rpcs) all.rpcs += sample.rpcs - member.rpcs;
    if (sample.answered > member.answered && sample.latency > member.latency) {
      all.answered += sample.answered - member.answered;
      all.latency += sample.latency - member.latency;
    }
  }
  all.anchor = load.anchor_in_flight;
  all.waiting = load.waiting;
  all.blocking = load.blocking;
  for (const auto& [id, member] : members_) {
    if (member.state() == MemberState::kReady && member.rotating == RotateReason::kNone) {
      ++all.ready;
    }
  }
  all.stream_limit = stream_limit_;
  all.endpoints = usable_endpoints();
  all.resolved = static_cast<int>(std::count_if(
      endpoints_.begin(), endpoints_.end(), [](const auto& entry) { return entry.second.listed; }));
  return all;
}

void PoolCore::JudgeLoad(Time now, const SizeController::Load& load) {
  const auto change = sizing_.OnLoad(now, load);
  if (!change) return;
  log_.Add({now, change->to > change->from ? "grow" : "shrink", MemberId{}, EndpointId{},
            absl::StrCat(change->from, " to ", change->to, ": ", change->reason)});
}

SpilloverPlan PoolCore::spillover() const {
  // Where no connection can be had, streams have to do with those that there are.
  const bool can_connect =
      endpoints_.empty() ||
      (local_failures_ == 0 &&
       std::any_of(endpoints_.begin(), endpoints_.end(), [&](const auto& entry) {
         return IsUsable(entry.second) && entry.second.failures == 0;
       }));
  if (!policy_.spills || shut_down_ || suspended_ || !can_connect) return {};
  int connecting = 0;
  int held = 0;
  for (const auto& [id, tally] : CountMembers()) {
    connecting += tally.connecting;
    held += tally.held();
  }
  SpilloverPlan plan;
  plan.channels = std::max(policy_.sizing.max - held, 0);
  plan.keep = plan.channels > 0 && (connecting > 0 || held == 0);
  return plan;
}

}  // namespace predial
