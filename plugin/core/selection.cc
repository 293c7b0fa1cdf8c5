// Selection: which ready members get fewer RPCs because they are slow, and which are dialed anew
// because their backend has too many.
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/core/pool_core.h"

namespace predial {
namespace {

double Millis(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

void PoolCore::JudgeLatencies(Time now, const LoadSample& load) {
  if (policy_.outlier.factor == 0) return;
  std::vector<OutlierJudge::Sample> samples;
  for (const LoadSample::Of& sample : load.members) {
    const Member* member = Find(sample.member);
    if (member == nullptr || member->state() != MemberState::kReady) continue;
    samples.push_back({sample.member, sample.answered, sample.latency});
  }
  for (const OutlierJudge::Change& change : outliers_.OnSamples(now, samples)) {
    Log(now, "weigh", *Find(change.member),
        absl::StrCat(change.weight, "/", OutlierJudge::kFull, " of a full share: its RPCs take ",
                     Millis(change.mean), " ms, its peers' ", Millis(change.median), " ms"));
  }
}

Actions PoolCore::OnNamed(Time now, MemberId id, std::string backend) {
  Actions actions;
  Member* member = Find(id);
  if (member == nullptr) return actions;
  member->backend = std::move(backend);
  int here = 0;
  int named = 0;
  for (const auto& [other_id, other] : members_) {
    if (other.endpoint != member->endpoint || other.state() != MemberState::kReady) continue;
    if (other.rotating != RotateReason::kNone || other.backend.empty()) continue;
    ++named;
    if (other.backend == member->backend) ++here;
  }
  if (member->state() == MemberState::kReady) {
    endpoints_.at(member->endpoint)
        .spread.OnNamed(now, member->backend, member->connecting_since, here, named);
  }
  Reconcile(now, actions);
  return actions;
}

void PoolCore::BeginSpread(Time now) {
  // At rest no RPC would tell which backend a new member has got.
  if (!policy_.spread || !active_) return;
  int total = 0;
  bool trying = false;
  const auto tallies = CountMembers();
  for (const auto& [id, tally] : tallies) {
    total += tally.used() + tally.ejected + tally.rotating;
    trying = trying || endpoints_.at(id).spread.trying();
  }
  for (auto& [id, endpoint] : endpoints_) {
    if (trying != endpoint.spread.trying()) continue;
    if (!trying) {
      // When all else is quiet, and with room for the new one beside the old.
      const Tally& tally = tallies.at(id);
      if (total >= policy_.sizing.max || tally.connecting > 0 || tally.rotating > 0) continue;
      if (!IsUsable(endpoint) || endpoint.failures > 0 || endpoint.half_open) continue;
    }
    std::vector<Spread::Held> held;
    for (const auto& [member_id, member] : members_) {
      if (member.endpoint != id || member.state() != MemberState::kReady) continue;
      held.push_back({member_id, member.backend, member.ready_since, member.in_flight});
    }
    if (const auto next = endpoint.spread.Next(now, held)) {
      Rotate(now, *Find(*next), RotateReason::kSpread);
      return;
    }
  }
}

}  // namespace predial
