// PeakEwma: one member's latency as an average that goes up at once and comes down slowly, and what
// an RPC on that member is likely to cost. Pure.
//
// A sample of latency l, dt after the one before:
//   value = max(l, value * w + l * (1 - w)),  w = exp(-dt / decay)
// so a peak counts in full at once, and its weight is a matter of time, not of the number of RPCs.
// The cost of one more RPC, dt after the last sample:
//   value * (in flight + 1)   with RPCs in flight: their samples will bring the value down
//   value * w                 idle: so one that was slow is tried again, by one RPC at a time
//   0                         idle, without a sample: tried at once, but again by one RPC ...
//   kUnknown * in flight      ... for it is the last choice until its first answer
// The model is the peak EWMA load balancer of Finagle (com.twitter.finagle.loadbalancer.PeakEwma),
// but for this: there the value decays with RPCs in flight as well, and one that answers nothing
// looks better and better.
//
// Threads: const; the state is one word that the caller keeps, e.g. in an atomic.
#pragma once

#include <cstdint>

#include "plugin/core/types.h"

namespace predial {

class PeakEwma {
 public:
  // The state: the value in nanoseconds as a float, and when the last sample came, in ticks of 2^16
  // ns (which come round after 78 h: then a pause looks shorter than it was).
  using Word = uint64_t;
  static constexpr Word kNoSample = 0;
  // Above the cost of any RPC that can be awaited: ten days.
  static constexpr double kUnknown = 1e15;

  // `decay` > 0: a value goes down to 37 % of itself in that time.
  explicit PeakEwma(Duration decay) : decay_(static_cast<double>(decay.count())) {}

  // The state after an RPC that was answered. Of several samples in one tick only peaks count.
  Word Observe(Word state, Time now, Duration latency) const;
  // After one that ended without an answer: it would have taken longer. Only peaks count.
  Word ObserveAtLeast(Word state, Time now, Duration latency) const;

  double Cost(Word state, Time now, int64_t in_flight) const;
  // 0 without a sample.
  static double Nanos(Word state);

 private:
  double Weight(Word state, Time now) const;

  const double decay_;  // nanoseconds
};

}  // namespace predial
