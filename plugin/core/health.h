// What health says about members and endpoints. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/core/member.h"
#include "plugin/core/types.h"

namespace predial {

struct HealthPolicy {
  bool enabled = true;
  Duration interval = std::chrono::seconds(5);
  int failures_max = 2;
  double panic_threshold = 0.5;
  // Checks are due at this time and whole half intervals from it, so that those of all pools for
  // which it is the same come together: to wake up costs more than a check.
  Time together = {};
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

// HealthPolicy::together of a process's pool number `pool`, `first` being that of its first one.
// The checks of 64 pools come together, and those of others at other moments: of very many at a
// time, the last would be answered late.
Time ChecksTogether(Time first, uint64_t pool);

// When `member`'s next check is due: `interval` after its last RPC or check, of an ejected one
// after its last check, or up to half of it earlier, at the last such moment as `together` says.
// Time::max() if checks are off, one is under way, or the member is in no state to be checked.
Time NextCheck(const HealthPolicy& policy, const Member& member);

}  // namespace predial
