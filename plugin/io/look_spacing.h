// How often the state of a connection is looked at which tells of no change by itself: often while
// it is young, when it may not last, and seldom when it is old.
#pragma once

#include <algorithm>

#include "plugin/core/types.h"

namespace predial {

constexpr Duration kLookMin = std::chrono::milliseconds(20);
constexpr Duration kLookMax = std::chrono::seconds(1);

// Until the next look: a sixteenth of its age, within these.
inline Duration LookSpacing(Duration age) { return std::clamp(age / 16, kLookMin, kLookMax); }

}  // namespace predial
