#include "plugin/core/backoff.h"

#include <algorithm>
#include <cmath>

namespace predial {
namespace {

Duration Delay(const BackoffPolicy& policy, int failures, double random, Duration ceiling) {
  const double grown = static_cast<double>(policy.initial.count()) *
                       std::pow(policy.multiplier, std::max(failures, 1) - 1);
  // Compared as double: the power overflows a count of nanoseconds long before a double.
  const double capped = std::min(grown, static_cast<double>(ceiling.count()));
  return Duration(static_cast<int64_t>(capped * (1 + policy.jitter * (2 * random - 1))));
}

}  // namespace

Duration BackoffDelay(const BackoffPolicy& policy, int failures, double random) {
  return Delay(policy, failures, random, policy.max);
}

Duration BackoffDelayUnderDemand(const BackoffPolicy& policy, int failures, double random) {
  return Delay(policy, failures, random, std::min(policy.max, policy.under_demand));
}

}  // namespace predial
