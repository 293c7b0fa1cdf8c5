// How often the state of a connection is looked at which tells of no change by itself: often while
// it is young, when it may not last, and seldom when it is old.
#pragma once

#include <algorithm>

#include "plugin/core/types.h"

namespace predial {

constexpr Duration kLookMin = std::chrono::milliseconds(20);
constexpr Duration kLookMax = std::chrono::seconds(1);

// When one of that age is looked at next: in a sixteenth of it, within these. Old ones all at the
// same moments, each of which wakes the loop but once.
inline Time NextLook(Time now, Duration age) {
  const Duration spacing = std::clamp(age / 16, kLookMin, kLookMax);
  const Time at = now + spacing;
  return spacing < kLookMax ? at : at - at.time_since_epoch() % kLookMax;
}

}  // namespace predial
