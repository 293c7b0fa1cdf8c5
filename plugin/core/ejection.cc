// Ejection and return: what RPCs, health checks and health watches say about members and endpoints.
//
//   an RPC misses its deadline, and nothing came back since --> suspect: no RPCs, a quick check
//       answered --> readmitted         not answered, or data unacknowledged --> drained, replaced
//   RPCs fail one after the other --> the member is replaced at once
//       its successor's fail, too --> the endpoint is ejected for a while, longer each time
//       then one member is tried; an RPC that ends well readmits the endpoint, or silence: no
//       failure for as long as the ejection was
//   NOT_SERVING --> ejected until SERVING
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/core/pool_core.h"

namespace predial {
namespace {

// Nothing came from a member for so long although an RPC waited for an answer.
constexpr Duration kSilence = std::chrono::milliseconds(50);
// The same, of data that was sent again: the first retransmission is no blackhole yet.
constexpr Duration kStalled = std::chrono::milliseconds(200);

// Why an endpoint is ejected or readmitted.
const char* ReasonOf(HealthResult watched) {
  switch (watched) {
    case HealthResult::kServing:
      return "its health service says SERVING";
    case HealthResult::kNotServing:
      return "its health service says NOT_SERVING";
    case HealthResult::kUnimplemented:
      return "its health service knows nothing of it";
    case HealthResult::kNoAnswer:
      break;
  }
  return "its health watch has ended";
}

int64_t Millis(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

Actions PoolCore::OnChecked(Time now, MemberId id, HealthResult result) {
  Actions actions;
  Member* member = Find(id);
  if (member == nullptr) return actions;
  member->check_pending = false;
  member->last_activity = now;
  member->last_check = now;
  if (result != HealthResult::kNoAnswer) {
    member->checks_unanswered = 0;
    endpoints_.at(member->endpoint).suspect = false;
  }
  const bool suspect = std::exchange(member->suspect, false);
  switch (result) {
    case HealthResult::kServing:
    case HealthResult::kUnimplemented:
      if (member->state() == MemberState::kEjected) Readmit(now, *member, "its check was answered");
      break;
    case HealthResult::kNotServing:
      if (member->state() == MemberState::kReady) Eject(now, *member, "not serving");
      break;
    case HealthResult::kNoAnswer:
      if (member->state() == MemberState::kDraining) break;
      if (suspect) {
        Suspect(now, endpoints_.at(member->endpoint));
        DrainMember(now, *member, CloseReason::kFailing, actions);
      } else if (++member->checks_unanswered >= policy_.health.failures_max) {
        DrainMember(now, *member, CloseReason::kUnhealthy, actions);
      }
      break;
  }
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnWatched(Time now, EndpointId id, HealthResult result) {
  Actions actions;
  auto found = endpoints_.find(id);
  if (found == endpoints_.end()) return actions;
  Endpoint& endpoint = found->second;
  // A watch that ended says nothing: whether the server can be reached is for dials to find out.
  const bool serving = result != HealthResult::kNotServing;
  if (endpoint.serving != serving) {
    endpoint.serving = serving;
    ++(serving ? readmissions_ : ejections_);
    if (serving) endpoint.returned = now;
    Log(now, serving ? "readmit" : "eject", endpoint, ReasonOf(result));
  }
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnFailing(Time now, MemberId id, FailureStreak streak) {
  Actions actions;
  Member* member = Find(id);
  if (member == nullptr || member->state() != MemberState::kReady) return actions;
  Endpoint& endpoint = endpoints_.at(member->endpoint);
  if (streak == FailureStreak::kAny) {
    if (member->rotating == RotateReason::kNone && NoteTrouble(now, *member, endpoint.erring)) {
      Rotate(now, *member, RotateReason::kFailing);
    }
    Reconcile(now, actions);
    return actions;
  }
  const int before = endpoint.ailing.times;
  if (!NoteTrouble(now, *member, endpoint.ailing)) return actions;
  if (endpoint.ailing.times > std::max(before, 1)) {
    endpoint.ejected_until = endpoint.ailing.retry_at;
    endpoint.half_open = true;
    endpoint.half_open_until = endpoint.ejected_until + (endpoint.ejected_until - now);
    ++ejections_;
    Log(now, "eject", endpoint,
        absl::StrCat("RPCs fail on new connections as well; for ",
                     Millis(endpoint.ejected_until - now), " ms"));
  }
  DropSpares(endpoint, actions);
  DrainMember(now, *member, CloseReason::kFailing, actions);
  Reconcile(now, actions);
  return actions;
}

void PoolCore::DropSpares(Endpoint& endpoint, Actions& actions) {
  if (endpoint.spares == 0 || !endpoint.listed) return;
  endpoint.spares = 0;
  actions.push_back(SetSpares{endpoint.id, 0});
}

bool PoolCore::NoteTrouble(Time now, const Member& member, Endpoint::Trouble& trouble) {
  // What was there when the first one failed may be as bad; what came after it was the remedy.
  if (member.ready_since < trouble.since) return true;
  if (now < trouble.retry_at) return false;
  ++trouble.times;
  trouble.since = now;
  trouble.retry_at = now + BackoffDelay(policy_.backoff, trouble.times, Random());
  return true;
}

Actions PoolCore::OnUnanswered(Time now, const std::vector<Silence>& members) {
  Actions actions;
  std::set<EndpointId> blackholes;
  for (const Silence& silence : members) {
    Member* member = Find(silence.member);
    if (member == nullptr || member->state() != MemberState::kReady) continue;
    if (!silence.unseen && silence.since_received < kSilence) continue;
    Endpoint& endpoint = endpoints_.at(member->endpoint);
    const std::string since =
        silence.unseen ? "an RPC missed its deadline"
                       : absl::StrCat("nothing came back for ", Millis(silence.since_received),
                                      " ms while RPCs waited");
    if (silence.stalled && silence.since_received >= kStalled) {
      Log(now, "blackhole", *member, absl::StrCat(since, ", and what was sent is unacknowledged"));
      Suspect(now, endpoint);
      blackholes.insert(endpoint.id);
      DropSpares(endpoint, actions);
      DrainMember(now, *member, CloseReason::kFailing, actions);
    } else if (policy_.health.enabled) {
      SuspectMember(now, *member, since, actions);
    } else if (member->rotating == RotateReason::kNone &&
               NoteTrouble(now, *member, endpoint.erring)) {
      // Nobody may ask it, but its successor is primed.
      Suspect(now, endpoint);
      Rotate(now, *member, RotateReason::kSilent);
    }
  }
  // Those that nobody used meanwhile.
  for (auto& [id, member] : members_) {
    if (!policy_.health.enabled || blackholes.count(member.endpoint) == 0) continue;
    const bool asked = std::any_of(members.begin(), members.end(),
                                   [&](const Silence& silence) { return silence.member == id; });
    if (member.state() != MemberState::kReady || asked) continue;
    SuspectMember(now, member, "another one of its endpoint is a blackhole", actions);
  }
  Reconcile(now, actions);
  return actions;
}

void PoolCore::NoteSuccess(Time now, const Member& member) {
  Endpoint& endpoint = endpoints_.at(member.endpoint);
  if (member.ready_since > endpoint.suspect_since) endpoint.suspect = false;
  if (member.ready_since >= endpoint.erring.since) endpoint.erring.times = 0;
  if (member.ready_since < endpoint.ailing.since) return;
  endpoint.ailing.times = 0;
  if (endpoint.half_open) CloseHalfOpen(now, endpoint, "an RPC on it ended well");
}

void PoolCore::ForgetFailures(Time now) {
  const auto shares = Shares(wanted());
  const auto tallies = CountMembers();
  for (auto& [id, endpoint] : endpoints_) {
    const auto share = shares.find(id);
    if (share == shares.end() || tallies.at(id).ready < share->second) continue;
    if (now >= endpoint.retry_at) endpoint.failures = 0;
  }
}

void PoolCore::CloseHalfOpen(Time now, Endpoint& endpoint, const char* reason) {
  endpoint.half_open = false;
  endpoint.ejected_until = {};
  endpoint.ejected = false;
  ++readmissions_;
  Log(now, "readmit", endpoint, reason);
}

void PoolCore::Suspect(Time now, Endpoint& endpoint) {
  endpoint.suspect = true;
  endpoint.suspect_since = now;
  resolve_now_ = true;
}

void PoolCore::SuspectMember(Time now, Member& member, const std::string& reason,
                             Actions& actions) {
  Eject(now, member, reason);
  member.suspect = true;
  member.check_pending = true;
  actions.push_back(Check{member.id, /*quick=*/true});
}

void PoolCore::Eject(Time now, Member& member, std::string reason) {
  Log(now, "eject", member, std::move(reason));
  member.MoveTo(MemberState::kEjected);
  member.last_check = now;
  ++ejections_;
}

void PoolCore::Readmit(Time now, Member& member, std::string reason) {
  Log(now, "readmit", member, std::move(reason));
  member.MoveTo(MemberState::kReady);
  ++readmissions_;
}

}  // namespace predial
