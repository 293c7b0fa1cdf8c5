// What health says about members and endpoints. Pure.
#pragma once

#include <map>
#include <vector>

#include "plugin/core/member.h"
#include "plugin/core/types.h"

namespace predial {

struct HealthPolicy {
  bool enabled = true;
  Duration interval = std::chrono::seconds(5);
  int failures_max = 2;
  double panic_threshold = 0.5;
};

// How one endpoint stands when the panic threshold is judged.
struct EndpointHealth {
  bool serving = true;
  int in_use = 0;   // members that take RPCs
  int ejected = 0;  // members that health took out
};

// Whether so much is ejected that health is to be ignored. Each endpoint counts the same, however
// many members it has at the moment: one that is not serving counts as wholly ejected, one without
// any member is not counted. Panics when the ejected share is above (not at) the threshold.
bool IsPanic(const HealthPolicy& policy, const std::vector<EndpointHealth>& endpoints);

// When `member`'s next check is due at the latest: `interval` after its last RPC or check, of an
// ejected one after its last check. Time::max() if checks are off, one is under way, or the member
// is in no state to be checked.
Time NextCheck(const HealthPolicy& policy, const Member& member);

// The members to check at `now`: if one is due, those too that are due within half an interval. To
// wake up costs more than a check.
std::vector<Member*> DueChecks(const HealthPolicy& policy, std::map<MemberId, Member>& members,
                               Time now);

}  // namespace predial
