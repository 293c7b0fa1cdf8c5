// Reconcile: what there is against what there should be.
#include <algorithm>

#include "plugin/core/pool_core.h"

namespace predial {
namespace {

// How often the load is looked at while there is some.
constexpr Duration kTick = std::chrono::milliseconds(100);
// Steps of a slow start; not above MemberTable::kWeightMax.
constexpr int kWeightMax = OutlierJudge::kFull;

}  // namespace

int PoolCore::wanted() const {
  return std::max(sizing_.wanted(), std::min(usable_endpoints(), policy_.sizing.max));
}

void PoolCore::Reconcile(Time now, Actions& actions) {
  reconciled_at_ = now;
  JudgeHealth(now, actions);
  RemoveEndpoints(actions);
  if (!shut_down_ && !suspended_) {
    SettleLifetimes(now, actions);
    DrainReplaced(now, actions);
    BeginRotations(now);
    BeginSpread(now);
    ConnectMissing(now, actions);
    DrainReplaced(now, actions);
    DrainSurplus(now, actions);
    KeepMaximum(now, actions);
    CheckQuiet(now, actions);
  }
  CutLate(now, actions);
  OrderSpares(now, actions);
  PublishReady(now, actions);
  JudgeState(actions);
  if (resolve_now_ && !shut_down_) actions.push_back(ResolveNow{});
  resolve_now_ = false;
}

bool PoolCore::IsUsable(const Endpoint& endpoint) const {
  return endpoint.listed && ((endpoint.serving && !endpoint.ejected) || panic_) && !shut_down_ &&
         !suspended_;
}

bool PoolCore::IsOut(const Endpoint& endpoint, const Tally& tally) const {
  if (tally.connecting > 0 || tally.held() > 0) return false;
  return endpoint.failures > 0 || endpoint.suspect || endpoint.half_open;
}

std::map<EndpointId, PoolCore::Tally> PoolCore::CountMembers() const {
  std::map<EndpointId, Tally> tallies;
  for (const auto& [id, endpoint] : endpoints_) tallies[id];
  for (const auto& [id, member] : members_) {
    Tally& tally = tallies[member.endpoint];
    switch (member.state()) {
      case MemberState::kConnecting:
        ++tally.connecting;
        break;
      case MemberState::kReady:
        ++(member.rotating == RotateReason::kNone ? tally.ready : tally.rotating);
        break;
      case MemberState::kEjected:
        ++(member.suspect ? tally.suspect : tally.ejected);
        break;
      case MemberState::kDraining:
      case MemberState::kClosed:
        break;
    }
  }
  return tallies;
}

void PoolCore::JudgeHealth(Time now, Actions& actions) {
  std::vector<EndpointHealth> healths;
  const auto tallies = CountMembers();
  for (auto& [id, endpoint] : endpoints_) {
    const bool ejected = now < endpoint.ejected_until;
    if (endpoint.ejected && !ejected) Log(now, "half_open", endpoint, "its ejection is over");
    endpoint.ejected = ejected;
    if (endpoint.half_open && now >= endpoint.half_open_until) {
      CloseHalfOpen(now, endpoint, "no RPC has failed on it since its ejection");
    }
    const Tally& tally = tallies.at(id);
    // There are no spares any more from before it was silent.
    if (tally.ready > 0 && now - endpoint.suspect_since >= policy_.spares_after_use) {
      endpoint.suspect = false;
    }
    if (!endpoint.listed) continue;
    healths.push_back({endpoint.serving && !endpoint.ejected, tally.ready + tally.rotating,
                       tally.ejected + tally.suspect});
  }
  const bool panic = IsPanic(policy_.health, healths);
  if (panic != panic_) {
    log_.Add({now, panic ? "panic" : "calm", MemberId{}, EndpointId{},
              panic ? "too much is ejected: health is ignored" : "health counts again"});
  }
  panic_ = panic;

  // One that is no longer listed is used until a listed one has a ready member: lists may be wrong.
  const bool reached = std::any_of(endpoints_.begin(), endpoints_.end(), [&](const auto& entry) {
    const Tally& tally = tallies.at(entry.first);
    return IsUsable(entry.second) && tally.ready + tally.rotating > 0;
  });
  // An endpoint that may not be used is drained; dials to it are given up.
  for (auto next = members_.begin(); next != members_.end();) {
    Member& member = (next++)->second;
    const Endpoint& endpoint = endpoints_.at(member.endpoint);
    if (IsUsable(endpoint)) continue;
    const bool last_resort = !endpoint.listed && !reached && !shut_down_ && !suspended_;
    if (last_resort && member.state() == MemberState::kReady) continue;
    const CloseReason reason = shut_down_         ? CloseReason::kShutdown
                               : !endpoint.listed ? CloseReason::kEndpointGone
                               : suspended_       ? CloseReason::kSuspended
                               : endpoint.ejected ? CloseReason::kFailing
                                                  : CloseReason::kUnhealthy;
    if (member.state() == MemberState::kConnecting) {
      CloseMember(now, member, reason, actions);
    } else if (member.state() != MemberState::kDraining) {
      DrainMember(now, member, reason, actions);
    }
  }
}

void PoolCore::RemoveEndpoints(Actions& actions) {
  const auto tallies = CountMembers();
  for (auto next = endpoints_.begin(); next != endpoints_.end();) {
    Endpoint& endpoint = next->second;
    if (shut_down_ && endpoint.listed) {
      endpoint.listed = false;
      actions.push_back(RetireEndpoint{endpoint.id});
    }
    const bool has_members = std::any_of(members_.begin(), members_.end(), [&](const auto& entry) {
      return entry.second.endpoint == endpoint.id;
    });
    if (endpoint.listed || has_members) {
      ++next;
      continue;
    }
    actions.push_back(RemoveEndpoint{endpoint.id});
    next = endpoints_.erase(next);
  }
}

std::map<EndpointId, int> PoolCore::Shares(int wanted) const {
  std::map<EndpointId, int> shares;
  std::vector<EndpointId> able;
  const auto tallies = CountMembers();
  for (const auto& [id, endpoint] : endpoints_) {
    if (!IsUsable(endpoint)) continue;
    shares[id] = 1;
    // One that is coming back is tried with one member first.
    if (endpoint.suspect && tallies.at(id).ready == 0) continue;
    if (endpoint.half_open && !panic_) continue;
    if (endpoint.failures == 0 || tallies.at(id).ready > 0) able.push_back(id);
  }
  const int count = static_cast<int>(able.size());
  for (int i = 0; i < count; ++i) {
    shares[able[i]] = wanted / count + (i < wanted % count ? 1 : 0);
  }
  return shares;
}

std::optional<EndpointId> PoolCore::MostAbove(const std::map<EndpointId, int>& shares) const {
  std::optional<EndpointId> most;
  int above = 0;
  for (const auto& [id, tally] : CountMembers()) {
    auto share = shares.find(id);
    if (share == shares.end() || tally.ready == 0) continue;
    if (tally.used() - share->second <= above) continue;
    above = tally.used() - share->second;
    most = id;
  }
  return most;
}

Time PoolCore::RetryAt(const Endpoint& endpoint) const {
  if (endpoint.failures == 0) return Time::min();
  return demand_ && published_.empty() ? endpoint.demand_retry_at : endpoint.retry_at;
}

void PoolCore::ConnectMissing(Time now, Actions& actions) {
  const auto shares = Shares(wanted());
  auto tallies = CountMembers();
  int total = 0;
  int connecting = 0;
  bool bridged = false;  // what is no longer listed is used for want of others
  for (const auto& [id, tally] : tallies) {
    total += tally.connecting + tally.held();
    bridged |= !endpoints_.at(id).listed && tally.ready + tally.rotating > 0;
    connecting += tally.connecting;
  }
  if (local_failures_ > 0 && (now < local_retry_at_ || connecting > 0)) return;

  // Round by round, so that every endpoint gets its first member before any gets its second.
  for (bool missing = true; missing;) {
    missing = false;
    for (const auto& [id, share] : shares) {
      Tally& tally = tallies[id];
      const Endpoint& endpoint = endpoints_.at(id);
      if (tally.used() >= share || now < RetryAt(endpoint)) continue;
      if (endpoint.failures > 0 && tally.connecting > 0) continue;
      if (connecting >= policy_.dials_max) return;
      if (local_failures_ > 0 && connecting > 0) return;  // one attempt, to see
      if (total >= policy_.sizing.max) {
        if (const std::optional<EndpointId> above = MostAbove(shares)) {
          DrainOne(now, *above, CloseReason::kRebalanced, actions);
          --tallies[*above].ready;
          --total;
        } else if (total > policy_.sizing.max ||
                   (tally.rotating == 0 && !IsOut(endpoint, tally) && !bridged)) {
          continue;
        }
        // One above the maximum: see KeepMaximum().
      }
      const MemberId member{++last_id_};
      members_.emplace(member, Member(member, id, now)).first->second.primed = endpoint.suspect;
      actions.push_back(Connect{member, id, endpoint.suspect});
      ++tally.connecting;
      ++connecting;
      ++total;
      missing = true;
    }
  }
}

void PoolCore::DrainSurplus(Time now, Actions& actions) {
  const int kept = std::max(wanted(), sizing_.Kept(now));
  const auto shares = Shares(kept);
  int used = 0;
  for (const auto& [id, tally] : CountMembers()) {
    if (shares.count(id) > 0) used += tally.ready;  // make before break
  }
  for (; used > kept; --used) {
    const std::optional<EndpointId> above = MostAbove(shares);
    if (!above) return;
    DrainOne(now, *above, CloseReason::kIdle, actions);
  }
}

void PoolCore::KeepMaximum(Time now, Actions& actions) {
  int held = 0;
  for (const auto& [id, tally] : CountMembers()) held += tally.held();
  for (; held > policy_.sizing.max; --held) {
    Member* least = nullptr;
    const auto rank = [](const Member& member) {
      const bool replaced = member.rotating != RotateReason::kNone;
      return replaced ? 0 : member.state() == MemberState::kEjected ? 1 : 2;
    };
    for (auto& [id, member] : members_) {
      if (member.state() != MemberState::kReady && member.state() != MemberState::kEjected)
        continue;
      if (least == nullptr || rank(member) < rank(*least)) least = &member;
    }
    if (rank(*least) < 2) {
      DrainMember(now, *least, rank(*least) == 0 ? CloseReason::kRotated : CloseReason::kUnhealthy,
                  actions);
      continue;
    }
    const std::optional<EndpointId> above = MostAbove(Shares(wanted()));
    DrainOne(now, above ? *above : least->endpoint, CloseReason::kRebalanced, actions);
  }
}

void PoolCore::DrainOne(Time now, EndpointId endpoint, CloseReason reason, Actions& actions) {
  const bool rotated = reason == CloseReason::kRotated;
  Member* least = nullptr;
  for (auto& [id, member] : members_) {
    if (member.endpoint != endpoint || member.state() != MemberState::kReady) continue;
    if ((member.rotating != RotateReason::kNone) != rotated) continue;
    if (least == nullptr || member.in_flight < least->in_flight) least = &member;
  }
  if (least != nullptr) DrainMember(now, *least, reason, actions);
}

void PoolCore::CheckQuiet(Time now, Actions& actions) {
  for (auto& [id, member] : members_) {
    if (NextCheck(policy_.health, member) > now) continue;
    member.check_pending = true;
    actions.push_back(Check{id});
  }
}

void PoolCore::OrderSpares(Time now, Actions& actions) {
  const bool in_use = now - last_activity_ < policy_.spares_after_use;
  for (auto& [id, endpoint] : endpoints_) {
    const bool keep = in_use && IsUsable(endpoint) && endpoint.failures == 0;
    const int count = keep ? policy_.spares : 0;
    if (count == endpoint.spares) continue;
    endpoint.spares = count;
    if (endpoint.listed) actions.push_back(SetSpares{id, count});
  }
}

int PoolCore::WeightOf(Time now, const Endpoint& endpoint) const {
  const Duration since = now - endpoint.returned;
  if (endpoint.returned == Time() || since >= policy_.slow_start) return kWeightMax;
  return 1 + static_cast<int>(since * (kWeightMax - 1) / policy_.slow_start);
}

int PoolCore::WeightOf(Time now, const Member& member) const {
  return std::min(WeightOf(now, endpoints_.at(member.endpoint)), outliers_.WeightOf(member.id));
}

void PoolCore::PublishReady(Time now, Actions& actions) {
  std::vector<MemberId> ready;
  int lightest = kWeightMax;
  int heaviest = 1;
  stream_limit_ = 0;
  for (const auto& [id, member] : members_) {
    const bool used = member.state() == MemberState::kReady ||
                      (panic_ && member.state() == MemberState::kEjected);
    if (!used) continue;
    ready.push_back(id);
    const int weight = WeightOf(now, member);
    lightest = std::min(lightest, weight);
    heaviest = std::max(heaviest, weight);
    if (member.sizing_limit > 0 && (stream_limit_ == 0 || member.sizing_limit < stream_limit_)) {
      stream_limit_ = member.sizing_limit;
    }
  }
  if (lightest < heaviest) {
    // Turn by turn, so that one member's turns are spread.
    std::vector<MemberId> turns;
    for (int turn = 1; turn <= heaviest; ++turn) {
      for (const MemberId id : ready) {
        if (WeightOf(now, members_.at(id)) >= turn) turns.push_back(id);
      }
    }
    ready = std::move(turns);
  }
  if (ready == published_) return;
  published_ = ready;
  actions.push_back(Publish{std::move(ready)});
}

void PoolCore::JudgeState(Actions& actions) {
  PoolState next = PoolState::kConnecting;
  if (shut_down_) {
    next = PoolState::kShutdown;
  } else if (suspended_) {
    next = PoolState::kSuspended;
  } else if (!published_.empty()) {
    next = PoolState::kReady;
  } else if (state_ == PoolState::kTransientFailure) {
    next = state_;  // until something works, as gRPC has it
  } else {
    const bool all_fail = std::all_of(endpoints_.begin(), endpoints_.end(), [](const auto& entry) {
      const Endpoint& endpoint = entry.second;
      return !endpoint.listed || endpoint.failures > 0;
    });
    const bool failing = endpoints_.empty() ? resolve_failed_ : all_fail || local_failures_ > 0;
    if (failing) next = PoolState::kTransientFailure;
  }
  if (next == state_) return;
  state_ = next;
  actions.push_back(SetState{next});
}

Time PoolCore::NextTick(Time now) const {
  // What has fallen due since the last event was not seen to by it.
  now = std::min(now, reconciled_at_);
  if (shut_down_) return Time::max();
  Time next = NextRotation(now);
  if (suspended_) return next;
  if (active_) next = std::min(next, last_tick_ + kTick);
  const auto tallies = CountMembers();
  const auto shares = Shares(wanted());
  int used = 0;
  for (const auto& [id, share] : shares) {
    const Tally& tally = tallies.at(id);
    used += tally.used();
    if (tally.used() >= share) continue;
    // What is overdue waits for a dial under way, or for a free place, and those report.
    const Time retry_at =
        std::max(RetryAt(endpoints_.at(id)), local_failures_ > 0 ? local_retry_at_ : Time::min());
    if (retry_at > now) next = std::min(next, retry_at);
  }
  if (used > policy_.sizing.min) next = std::min(next, sizing_.NextShrink(now));
  for (const auto& [id, member] : members_) {
    next = std::min(next, NextCheck(policy_.health, member));
  }
  for (const auto& [id, endpoint] : endpoints_) {
    if (endpoint.spares > 0) next = std::min(next, last_activity_ + policy_.spares_after_use);
    if (endpoint.ejected) next = std::min(next, endpoint.ejected_until);
    if (endpoint.half_open) next = std::min(next, endpoint.half_open_until);
    if (endpoints_.size() > 1 && endpoint.returned != Time() &&
        WeightOf(now, endpoint) < kWeightMax) {
      next = std::min(next, now + policy_.slow_start / kWeightMax);
    }
  }
  return next;
}

}  // namespace predial
