// The loads of the comparisons: unary RPCs, closed-loop and open-loop.
//
// Each returns when all its RPCs have ended. INVALID_ARGUMENT names a field, its value and its
// range.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmarks/compare/contender.h"
#include "benchmarks/compare/load_window.h"
#include "benchmarks/compare/unary_rpc.h"

namespace predial {

struct LoadTimes {
  absl::Duration warmup;  // not counted; range [0, 1 h]
  absl::Duration length;  // range (0, 1 h]
};

// Closed-loop, callback API: `callers` RPCs at any time, each followed by the next. Range
// [1, 100000].
absl::StatusOr<LoadReport> RunCallers(const Contender& contender, const RpcShape& shape,
                                      int callers, const LoadTimes& times);

// Closed-loop, synchronous: the same from as many threads. Range [1, 1024].
absl::StatusOr<LoadReport> RunThreads(const Contender& contender, const RpcShape& shape,
                                      int threads, const LoadTimes& times);

// Open-loop, callback API: `rate` RPCs begin per second, evenly spaced, whatever becomes of those
// before, over the contenders in turn. Latencies are counted from when each had to begin, so that a
// stall shows in all that it held up. An RPC that finds 100,000 in flight is lost. Range (0, 1e6].
absl::StatusOr<LoadReport> RunArrivals(const std::vector<Contender>& contenders,
                                       const RpcShape& shape, double rate, const LoadTimes& times);

// Open-loop, once: `rpcs` of them begin evenly within `within`. Range [1, 100000].
absl::StatusOr<LoadReport> RunBurst(const Contender& contender, const RpcShape& shape, int rpcs,
                                    absl::Duration within);

// What RunArrivals() does, while `callers` RPCs of another shape go on, closed-loop, over the same
// contender. Only the arrivals are reported.
absl::StatusOr<LoadReport> RunMixed(const Contender& contender, const RpcShape& shape, double rate,
                                    const RpcShape& beside, int callers, const LoadTimes& times);

}  // namespace predial
