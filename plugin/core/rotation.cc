// Rotation: members are replaced before their time is up, the new one first; and drains that take
// too long.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/core/pool_core.h"

namespace predial {

Actions PoolCore::OnScoutUp(Time now, EndpointId id) {
  Actions actions;
  auto found = endpoints_.find(id);
  if (found == endpoints_.end()) return actions;
  found->second.lifetime.OnScoutUp(now);
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnScoutDown(Time now, EndpointId id, Duration age) {
  Actions actions;
  auto found = endpoints_.find(id);
  if (found == endpoints_.end()) return actions;
  const auto ready = std::count_if(members_.begin(), members_.end(), [&](const auto& entry) {
    return entry.second.endpoint == id && entry.second.state() == MemberState::kReady;
  });
  found->second.lifetime.OnScoutDown(now, age, static_cast<int>(ready));
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnWorn(Time now, MemberId id) {
  Actions actions;
  Member* member = Find(id);
  if (member == nullptr) return actions;
  const Lifetime& lifetime = endpoints_.at(member->endpoint).lifetime;
  Rotate(now, *member, lifetime.RpcsOf(member->jitter).reason);
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnReplaceAll(Time now) {
  Actions actions;
  for (auto& [id, member] : members_) Rotate(now, member, RotateReason::kAsked);
  Reconcile(now, actions);
  return actions;
}

void PoolCore::Rotate(Time now, Member& member, RotateReason reason) {
  if (member.state() != MemberState::kReady) return;
  if (member.rotating != RotateReason::kNone || reason == RotateReason::kNone) return;
  member.rotating = reason;
  ++rotations_[static_cast<int>(reason)];
  Log(now, "rotate", member, ToString(reason));
}

void PoolCore::SettleLifetimes(Time now, Actions& actions) {
  for (auto& [id, endpoint] : endpoints_) {
    if (!endpoint.lifetime.Settle(now)) continue;
    const auto age = endpoint.lifetime.age_limit();
    const auto rpcs = endpoint.lifetime.rpcs_limit();
    Log(now, "learn", endpoint,
        absl::StrCat("connections live for ",
                     age ? absl::StrCat(std::chrono::duration<double>(*age).count(), " s")
                         : "as long as they like",
                     rpcs ? absl::StrCat(" and ", *rpcs, " RPCs") : ""));
    for (auto& [member_id, member] : members_) {
      if (member.endpoint == id && member.state() == MemberState::kReady) {
        OrderLimit(member, actions);
      }
    }
  }
}

void PoolCore::OrderLimit(Member& member, Actions& actions) const {
  const Lifetime::Rpcs rpcs = endpoints_.at(member.endpoint).lifetime.RpcsOf(member.jitter);
  if (rpcs.max == member.rpcs_max) return;
  member.rpcs_max = rpcs.max;
  actions.push_back(LimitRpcs{member.id, rpcs.worn_at, rpcs.max});
}

void PoolCore::BeginRotations(Time now) {
  const auto tallies = CountMembers();
  std::map<EndpointId, int> rotating;
  for (const auto& [id, tally] : tallies) rotating[id] = tally.rotating;
  for (auto& [id, member] : members_) {
    if (member.state() != MemberState::kReady || member.rotating != RotateReason::kNone) continue;
    const Endpoint& endpoint = endpoints_.at(member.endpoint);
    const Lifetime::Due due = endpoint.lifetime.DueByAge(member.ready_since, member.jitter);
    if (due.at > now) continue;
    // Not more than half of them at a time; the next ones follow when these are done.
    const Tally& tally = tallies.at(member.endpoint);
    if (rotating[member.endpoint] > 0 &&
        2 * rotating[member.endpoint] >= tally.ready + tally.rotating) {
      continue;
    }
    ++rotating[member.endpoint];
    Rotate(now, member, due.reason);
  }
}

void PoolCore::DrainReplaced(Time now, Actions& actions) {
  const auto shares = Shares(wanted());
  for (const auto& [id, tally] : CountMembers()) {
    const auto share = shares.find(id);
    if (share == shares.end()) continue;
    const int surplus = tally.ready + tally.rotating - share->second;
    for (int i = 0; i < std::min(surplus, tally.rotating); ++i) {
      DrainOne(now, id, CloseReason::kRotated, actions);
    }
  }
}

void PoolCore::CutLate(Time now, Actions& actions) {
  if (policy_.drain_timeout == Duration::max()) return;
  for (auto& [id, member] : members_) {
    if (member.state() != MemberState::kDraining || member.cut) continue;
    if (now - member.draining_since < policy_.drain_timeout) continue;
    member.cut = true;
    Log(now, "cut", member, ToString(CloseReason::kDrainTimeout));
    actions.push_back(Cut{id});
  }
}

Time PoolCore::NextRotation(Time now) const {
  Time next = Time::max();
  for (const auto& [id, member] : members_) {
    if (member.state() == MemberState::kDraining && !member.cut &&
        policy_.drain_timeout != Duration::max()) {
      next = std::min(next, member.draining_since + policy_.drain_timeout);
    }
    if (member.state() != MemberState::kReady || member.rotating != RotateReason::kNone) continue;
    const Lifetime::Due due =
        endpoints_.at(member.endpoint).lifetime.DueByAge(member.ready_since, member.jitter);
    // What is overdue waits for another that is being replaced, and that reports.
    if (due.at > now) next = std::min(next, due.at);
  }
  if (shut_down_ || suspended_) return next;
  for (const auto& [id, endpoint] : endpoints_) {
    next = std::min(next, endpoint.lifetime.NextSettle());
  }
  return next;
}

}  // namespace predial
