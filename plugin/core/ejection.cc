// Ejection and return: what RPCs, health checks and health watches say about members and endpoints.
//
//   an RPC misses its deadline, and nothing came back since --> suspect: no RPCs, a quick check
//       answered --> readmitted         not answered, or data unacknowledged --> drained, replaced
//   RPCs fail one after the other --> the member is replaced at once
//       its successor's fail, too --> the endpoint is ejected for a while, longer each time
//       then one member is tried; an RPC that ends well readmits the endpoint
//   NOT_SERVING --> ejected until SERVING
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/core/pool_core.h"

namespace predial {
namespace {

// Nothing came from a member for so long although an RPC waited for an answer.
constexpr Duration kSilence = std::chrono::milliseconds(50);
// The same, of data that was sent again: the first retransmission is no blackhole yet.
constexpr Duration kStalled = std::chrono::milliseconds(200);

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
  if (result != HealthResult::kNoAnswer) member->checks_unanswered = 0;
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
        endpoints_.at(member->endpoint).suspect = true;
        resolve_now_ = true;
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
    Log(now, serving ? "readmit" : "eject", endpoint,
        serving ? "its health service says SERVING" : "its health service says NOT_SERVING");
  }
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnFailing(Time now, MemberId id, FailureStreak streak) {
  Actions actions;
  Member* member = Find(id);
  if (member == nullptr || member->state() != MemberState::kReady) return actions;
  Endpoint& endpoint = endpoints_.at(member->endpoint);
  // What was there when the first one failed may be as bad; what came after it was the remedy.
  if (member->ready_since >= endpoint.failing_since) {
    if (now < endpoint.failing_retry_at) return actions;
    ++endpoint.failing;
    endpoint.failing_since = now;
    endpoint.failing_retry_at = now + BackoffDelay(policy_.backoff, endpoint.failing, Random());
    if (endpoint.failing > 1 && streak == FailureStreak::kAiling) {
      endpoint.ejected_until = endpoint.failing_retry_at;
      endpoint.half_open = true;
      ++ejections_;
      Log(now, "eject", endpoint,
          absl::StrCat("RPCs fail on new connections as well; for ",
                       Millis(endpoint.ejected_until - now), " ms"));
    }
  }
  if (streak == FailureStreak::kAiling) {
    DrainMember(now, *member, CloseReason::kFailing, actions);
  } else {
    Rotate(now, *member, RotateReason::kFailing);
  }
  Reconcile(now, actions);
  return actions;
}

Actions PoolCore::OnUnanswered(Time now, const std::vector<Silence>& members) {
  Actions actions;
  for (const Silence& silence : members) {
    Member* member = Find(silence.member);
    if (member == nullptr || member->state() != MemberState::kReady) continue;
    if (silence.since_received < kSilence) continue;
    Endpoint& endpoint = endpoints_.at(member->endpoint);
    const std::string since = absl::StrCat("nothing came back for ", Millis(silence.since_received),
                                           " ms while RPCs waited");
    if (silence.stalled && silence.since_received >= kStalled) {
      Log(now, "blackhole", *member, absl::StrCat(since, ", and what was sent is unacknowledged"));
      endpoint.suspect = true;
      resolve_now_ = true;
      DrainMember(now, *member, CloseReason::kFailing, actions);
    } else if (policy_.health.enabled) {
      Eject(now, *member, since.c_str());
      member->suspect = true;
      member->check_pending = true;
      actions.push_back(Check{member->id, /*quick=*/true});
    } else {
      // Nobody may ask it, but its successor is primed.
      endpoint.suspect = true;
      Rotate(now, *member, RotateReason::kSilent);
    }
  }
  Reconcile(now, actions);
  return actions;
}

void PoolCore::NoteSuccess(Time now, const Member& member) {
  Endpoint& endpoint = endpoints_.at(member.endpoint);
  if (endpoint.failing == 0 || member.ready_since < endpoint.failing_since) return;
  endpoint.failing = 0;
  if (!endpoint.half_open) return;
  endpoint.half_open = false;
  endpoint.ejected_until = {};
  ++readmissions_;
  Log(now, "readmit", endpoint, "an RPC on it ended well");
}

void PoolCore::Eject(Time now, Member& member, const char* reason) {
  Log(now, "eject", member, reason);
  member.MoveTo(MemberState::kEjected);
  ++ejections_;
}

void PoolCore::Readmit(Time now, Member& member, const char* reason) {
  Log(now, "readmit", member, reason);
  member.MoveTo(MemberState::kReady);
  ++readmissions_;
}

}  // namespace predial
