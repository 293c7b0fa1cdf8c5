// Rotation: members are replaced before their time is up, the new one first; and drains that take
// too long.
//
//   due --BeginRotations--> rotating: still ready, but not counted, so that ConnectMissing makes
//   another --DrainReplaced, once that is ready--> draining
//
// Rates: of one endpoint no more than half at a time, but for those that soon take no more RPCs;
// of what was learned (it may be wrong) see also Lifetime::kRotateAfter. With connections_max
// reached there is one above it for as long as the new one takes: to break first would send RPCs
// to the anchor, and would not save a connection, since the old one has RPCs to finish.
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
  Lifetime& lifetime = found->second.lifetime;
  if (!lifetime.scout_since()) return actions;
  const Time seen = *lifetime.scout_since() + age;
  int survivors = 0;
  Time oldest = now;
  for (const auto& [member_id, member] : members_) {
    if (member.endpoint != id || member.ready_since > seen) continue;
    if (member.state() != MemberState::kReady && member.state() != MemberState::kEjected) continue;
    ++survivors;
    oldest = std::min(oldest, member.ready_since);
  }
  lifetime.OnScoutDown(now, age, survivors, oldest);
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnWorn(Time now, MemberId id) {
  Actions actions;
  Member* member = Find(id);
  if (member == nullptr) return actions;
  member->due_for = endpoints_.at(member->endpoint).lifetime.RpcsOf(member->jitter).reason;
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnReplaceAll(Time now) {
  Actions actions;
  for (auto& [id, member] : members_) {
    if (member.state() != MemberState::kConnecting) member.due_for = RotateReason::kAsked;
  }
  for (auto& [id, endpoint] : endpoints_) {
    // Dialed as long ago as what they would replace. Reconcile() orders new ones.
    if (std::exchange(endpoint.spares, 0) > 0 && endpoint.listed) {
      actions.push_back(SetSpares{id, 0});
    }
  }
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
      const bool in_use =
          member.state() == MemberState::kReady || member.state() == MemberState::kEjected;
      if (member.endpoint == id && in_use) OrderLimit(member, actions);
    }
  }
}

void PoolCore::OrderLimit(Member& member, Actions& actions) const {
  const Lifetime::Rpcs rpcs = endpoints_.at(member.endpoint).lifetime.RpcsOf(member.jitter);
  if (rpcs.max == member.rpcs_max) return;
  member.rpcs_max = rpcs.max;
  actions.push_back(LimitRpcs{member.id, rpcs.worn_at, rpcs.max});
}

Lifetime::Due PoolCore::DueOf(const Member& member) const {
  Lifetime::Due due =
      endpoints_.at(member.endpoint).lifetime.DueByAge(member.ready_since, member.jitter);
  if (member.due_for == RotateReason::kNone) return due;
  const Duration after =
      member.due_for == RotateReason::kProvenRpcs ? Lifetime::kRotateAfter : Duration();
  if (member.ready_since + after < due.at) due = {member.ready_since + after, member.due_for};
  return due;
}

void PoolCore::BeginRotations(Time now) {
  auto tallies = CountMembers();
  for (auto& [id, member] : members_) {
    if (member.state() != MemberState::kReady || member.rotating != RotateReason::kNone) continue;
    const Lifetime::Due due = DueOf(member);
    if (due.at > now) continue;
    Tally& tally = tallies.at(member.endpoint);
    const bool urgent =
        due.reason == RotateReason::kRpcs || due.reason == RotateReason::kProvenRpcs;
    // The next ones follow when these are done.
    if (!urgent && tally.rotating > 0 && 2 * tally.rotating >= tally.ready + tally.rotating) {
      continue;
    }
    --tally.ready;
    ++tally.rotating;
    Rotate(now, member, due.reason);
  }
}

void PoolCore::DrainReplaced(Time now, Actions& actions) {
  const auto shares = Shares(wanted());
  for (const auto& [id, tally] : CountMembers()) {
    const auto share = shares.find(id);
    if (share == shares.end()) continue;
    // One that the load does not need now is not replaced.
    const int surplus = std::min(tally.ready + tally.rotating - share->second, tally.rotating);
    for (int i = 0; i < surplus; ++i) DrainOne(now, id, CloseReason::kRotated, actions);
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
    // What is overdue waits for another that is being replaced, and that reports.
    if (const Lifetime::Due due = DueOf(member); due.at > now) next = std::min(next, due.at);
  }
  if (suspended_) return next;
  for (const auto& [id, endpoint] : endpoints_) {
    next = std::min(next, endpoint.lifetime.NextSettle());
  }
  return next;
}

}  // namespace predial
