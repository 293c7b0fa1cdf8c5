// The events: what each changes. What is done about it is in reconcile.cc.
#include "plugin/core/pool_core.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace predial {
namespace {

// A dial has one outcome. Aborts on a second one.
void CheckIsConnecting(const Member& member) {
  if (member.state() == MemberState::kConnecting) return;
  std::fprintf(stderr, "predial: a second outcome for member %llu, which is %s\n",
               static_cast<unsigned long long>(member.id), ToString(member.state()));
  std::abort();
}

}  // namespace

PoolCore::PoolCore(const PoolPolicy& policy, uint64_t seed, Time start)
    : policy_(policy),
      random_(seed),
      sizing_(policy.sizing, seed, start),
      outliers_(policy.outlier),
      last_activity_(start - policy.spares_after_use),
      last_tick_(start),
      reconciled_at_(start) {}

Actions PoolCore::OnResolved(Time now, const std::vector<std::string>& keys) {
  Actions actions;
  if (shut_down_) return actions;
  resolve_failed_ = false;
  for (auto& [id, endpoint] : endpoints_) {
    if (!endpoint.listed || std::find(keys.begin(), keys.end(), endpoint.key) != keys.end()) {
      continue;
    }
    endpoint.listed = false;
    actions.push_back(RetireEndpoint{id});
  }
  for (const std::string& key : keys) {
    const bool known = std::any_of(endpoints_.begin(), endpoints_.end(), [&](const auto& entry) {
      return entry.second.listed && entry.second.key == key;
    });
    if (known) continue;
    const EndpointId id{++last_id_};
    endpoints_.emplace(id, Endpoint(id, key, policy_.lifetime));
    actions.push_back(AddEndpoint{id, key});
  }
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnResolveFailed(Time now) {
  Actions actions;
  resolve_failed_ = true;  // the endpoints known so far stay
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnReady(Time now, MemberId id, uint32_t stream_limit, uint32_t assumed_limit) {
  Actions actions;
  Member* member = Find(id);
  if (member == nullptr) return actions;
  CheckIsConnecting(*member);
  member->MoveTo(MemberState::kReady);
  member->ready_since = now;
  member->last_activity = now;
  member->stream_limit = stream_limit;
  member->sizing_limit = stream_limit > 0 ? stream_limit : assumed_limit;
  member->jitter = Random();
  Endpoint& endpoint = endpoints_.at(member->endpoint);
  if (endpoint.failures > 0 || endpoint.ailing.times > 0 || endpoint.suspect) {
    endpoint.returned = now;
  }
  if (member->primed) endpoint.suspect = false;
  OrderLimit(*member, actions);
  // RPCs may be waiting on ordinary channels that back off.
  if (endpoint.failures > 0 || state_ != PoolState::kReady) {
    actions.push_back(WakeAnchor{endpoint.id});
  }
  // An attempt that began before the last failure does not outweigh it: two that are closed in turn
  // would each clear the way for the other's successor, and so on without end.
  if (member->connecting_since > endpoint.last_failure) endpoint.failures = 0;
  local_failures_ = 0;
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnConnectFailed(Time now, MemberId id, DialResult result) {
  Actions actions;
  Member* member = Find(id);
  if (member == nullptr) return actions;
  CheckIsConnecting(*member);
  NoteFailure(now, *member, result);
  CloseMember(now, *member, CloseReason::kSetupFailed, actions);
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnPeerClosed(Time now, MemberId id, const ConnectionEnd& end) {
  Actions actions;
  Member* member = Find(id);
  if (member == nullptr) return actions;
  resolve_now_ = !member->cut;
  if (member->state() != MemberState::kDraining) NoteEnd(now, *member, end);
  CloseMember(now, *member, member->cut ? CloseReason::kDrainTimeout : CloseReason::kPeerClosed,
              actions);
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnDrained(Time now, MemberId id) {
  Actions actions;
  Member* member = Find(id);
  if (member == nullptr || member->state() != MemberState::kDraining) return actions;
  CloseMember(now, *member, member->drain_reason, actions);
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnGoingAway(Time now, MemberId id, const ConnectionEnd& end) {
  Actions actions;
  Member* member = Find(id);
  if (member == nullptr) return actions;
  if (member->state() == MemberState::kReady || member->state() == MemberState::kEjected) {
    NoteEnd(now, *member, end);
    DrainMember(now, *member, CloseReason::kGoingAway, actions);
  }
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnTick(Time now, const LoadSample& load) {
  Actions actions;
  if (shut_down_) return actions;
  const SizeController::Load all = LoadOf(load);
  active_ = load.anchor_rpcs > 0 || load.anchor_in_flight > 0 || load.waiting > 0;
  for (const LoadSample::Of& sample : load.members) {
    Member* member = Find(sample.member);
    if (member == nullptr) continue;
    if (sample.in_flight > 0 || sample.rpcs != member->rpcs) {
      member->last_activity = now;
      active_ = true;
    }
    member->in_flight = sample.in_flight;
    member->rpcs = sample.rpcs;
    member->answered = sample.answered;
    member->latency = sample.latency;
    if (sample.succeeded) NoteSuccess(now, *member);
  }
  JudgeLatencies(now, load);
  if (active_) last_activity_ = now;
  demand_ = load.anchor_rpcs > 0 || load.anchor_in_flight > 0 || load.waiting > 0;
  last_tick_ = now;
  JudgeLoad(now, all);
  ForgetFailures(now);
  Reconcile(now, actions);
  // With every tick, because waking is lost on a channel whose attempt is just about to fail.
  if (state_ == PoolState::kReady && load.anchor_in_flight > 0) {
    actions.push_back(WakeTargetAnchor{});
  }
  return actions;
}

Actions PoolCore::OnSuspended(Time now) {
  Actions actions;
  suspended_ = true;
  for (auto& [id, endpoint] : endpoints_) endpoint.lifetime.OnScoutGone();
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnResumed(Time now) {
  Actions actions;
  suspended_ = false;
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnShutdown(Time now) {
  Actions actions;
  shut_down_ = true;
  Reconcile(now, actions);
  return actions;
}

void PoolCore::NoteFailure(Time now, const Member& attempt, DialResult result) {
  if (result == DialResult::kLocalLimit) {
    ++local_failures_;
    local_retry_at_ = now + BackoffDelay(policy_.backoff, local_failures_, Random());
    // Several dials may fail of it at once.
    if (attempt.connecting_since > last_refusal_) {
      last_refusal_ = now;
      log_.Add(
          {now, "refuse", MemberId{}, EndpointId{},
           "this process is at a limit of its own (descriptors, memory or ports): it keeps the "
           "connections that it has, and dials one at a time"});
    }
    return;
  }
  resolve_now_ = true;
  Endpoint& endpoint = endpoints_.at(attempt.endpoint);
  // A dial that began before another's success tells nothing new.
  if (attempt.state() == MemberState::kConnecting) {
    for (const auto& [id, member] : members_) {
      if (member.endpoint == endpoint.id && member.state() == MemberState::kReady &&
          member.ready_since > attempt.connecting_since) {
        return;
      }
    }
  }
  // Attempts side by side that fail for one reason are one failure.
  if (endpoint.failures > 0 && attempt.connecting_since <= endpoint.last_failure) return;
  ++endpoint.failures;
  endpoint.last_failure = now;
  const double random = Random();
  endpoint.retry_at = now + BackoffDelay(policy_.backoff, endpoint.failures, random);
  endpoint.demand_retry_at =
      now + BackoffDelayUnderDemand(policy_.backoff, endpoint.failures, random);
}

void PoolCore::NoteEnd(Time now, const Member& member, const ConnectionEnd& end) {
  const bool connecting = member.state() == MemberState::kConnecting;
  const Duration age = now - member.ready_since;
  if (!connecting) {
    const bool busy = !end.without_a_word &&
                      (end.in_flight > 0 || end.rpcs > member.rpcs || member.in_flight > 0 ||
                       now - member.last_activity < Lifetime::kTogether);
    // Those in flight may have come too late to be counted by the peer.
    const uint64_t begun = std::max(end.rpcs, member.rpcs);
    const uint64_t carried = begun - std::min(begun, static_cast<uint64_t>(end.in_flight));
    endpoints_.at(member.endpoint).lifetime.OnMemberEnded(now, age, carried, busy);
  }
  const bool soon = connecting || age < policy_.backoff.initial;
  if (soon && !end.proved) NoteFailure(now, member, DialResult::kError);
}

void PoolCore::CloseMember(Time now, Member& member, CloseReason reason, Actions& actions) {
  // The end of what was drained was said when it began.
  if (member.state() != MemberState::kDraining || reason != member.drain_reason) {
    Log(now, "close", member, ToString(reason));
  }
  member.MoveTo(MemberState::kClosed);
  const MemberId id = member.id;
  members_.erase(id);
  actions.push_back(Close{id, reason});
}

void PoolCore::DrainMember(Time now, Member& member, CloseReason reason, Actions& actions) {
  Log(now, "drain", member, ToString(reason));
  member.MoveTo(MemberState::kDraining);
  member.drain_reason = reason;
  member.draining_since = now;
  actions.push_back(Drain{member.id});
}

void PoolCore::Log(Time now, const char* what, const Member& member, std::string reason) {
  log_.Add({now, what, member.id, member.endpoint, std::move(reason)});
}

void PoolCore::Log(Time now, const char* what, const Endpoint& endpoint, std::string reason) {
  log_.Add({now, what, MemberId{}, endpoint.id, std::move(reason)});
}

Member* PoolCore::Find(MemberId id) {
  auto found = members_.find(id);
  return found == members_.end() ? nullptr : &found->second;
}

double PoolCore::Random() {
  // 53 bits, the precision of a double: uniform in [0, 1) on every standard library.
  return static_cast<double>(random_() >> 11) * 0x1p-53;
}

}  // namespace predial
