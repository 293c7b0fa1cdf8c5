// How long to wait before trying an endpoint again. Pure.
#pragma once

#include "plugin/core/types.h"

namespace predial {

struct BackoffPolicy {
  Duration initial = std::chrono::seconds(1);
  double multiplier = 1.6;
  Duration max = std::chrono::seconds(120);
  double jitter = 0.2;
  // A ceiling for the wait while RPCs find no ready member.
  Duration under_demand = std::chrono::milliseconds(500);
};

// The wait after failure `failures` (1, 2, …) in a row; `random` is uniform in [0, 1).
//   min(initial * multiplier^(failures-1), max) * (1 + jitter * (2 * random - 1))
// is gRPC's (grpc/doc/connection-backoff.md).
Duration BackoffDelay(const BackoffPolicy& policy, int failures, double random);

// The same while RPCs wait for the endpoint: never above under_demand, jitter aside.
Duration BackoffDelayUnderDemand(const BackoffPolicy& policy, int failures, double random);

}  // namespace predial
