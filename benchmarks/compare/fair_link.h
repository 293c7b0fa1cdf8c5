// FairLink: one direction of a link with one bottleneck, computed and not waited for: bytes in, and
// the time at which they are at the other end out.
//
//   Enqueue() --> waiting, a queue per flow --round robin--> [rate] --> delay --> due
//                                                             \-- a stall: + stall_length
//
// Queueing:  fair: the bottleneck takes a chunk of at most kChunkBytes from one flow, then from the
//            next one that has bytes waiting. It is never idle while any has. So n busy flows have
//            1/n of the rate each, and a few bytes of another wait for a chunk of each of them at
//            most, as under Linux's sfq. (fq and fq_codel would even let them go first.) The queue
//            has no limit of its own and drops nothing: who enqueues has to stop.
// Rate:      a chunk holds the bottleneck for bytes * 8 / rate, rounded up to a nanosecond. Without
//            a rate it takes no time, and takes all that waits at once.
// Stalls:    what a loss does to TCP. The lost chunk is due stall_length later, and so is what the
//            flow sends in the meantime: the receiver has it, but gives out bytes in their order
//            only. Other flows go on. A flow that is stalled is not hit again before it goes on.
//            The times between stalls are exponentially distributed (seeded) with mean
//            stall_every; a stall hits the chunk that is next to pass, so that a flow that sends
//            more is hit more often. Their clock counts pauses as kPauseMax at most, so that what
//            comes after a long one is not hit just for that.
// No part of it: congestion control (slow start, the halved window after a loss), jitter,
//            reordering, headers, acknowledgements.
//
// Purity:    the time is passed in. A time before that of an earlier call counts as that one.
// Threads:   thread-compatible.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <vector>

#include "benchmarks/compare/link_options.h"
#include "plugin/core/types.h"

namespace predial {

class FairLink {
 public:
  // What a packet carries over Ethernet: 1500 bytes but for the headers of IP and TCP.
  static constexpr int64_t kChunkBytes = 1448;
  static constexpr Duration kPauseMax = std::chrono::milliseconds(10);

  // One direction of one connection. The caller's; to be removed before it is destroyed.
  struct Flow {
    uint64_t owner = 0;   // for the caller
    int64_t waiting = 0;  // bytes that have not passed the bottleneck
    Time last_due;        // of the last that have passed
    Time stalled_until;   // at the bottleneck
  };

  struct Passed {
    uint64_t owner;
    int64_t bytes;
    Time due;  // when they are at the other end
  };

  // `options` as Validate() wants them.
  FairLink(const LinkOptions& options, uint64_t seed);

  // `bytes` more wait since `now`; before they do, the bottleneck takes what it takes until then.
  // So no byte is due earlier than delay after the `now` of its call.
  void Enqueue(Flow& flow, int64_t bytes, Time now);

  // Forgets what waits of it; what has passed stays so.
  void Remove(Flow& flow);

  // Lets the bottleneck take what it takes until `now`.
  void Advance(Time now);

  // What has passed since the last call: of each flow in its order.
  std::vector<Passed> TakePassed();

  // When the bottleneck takes the next chunk; nothing if no byte waits. Calling Advance() later
  // than that changes no due time.
  std::optional<Time> next() const;

  int64_t stalls() const { return stalls_; }

 private:
  // The flow's next chunk, which the bottleneck takes at free_at_.
  void PassChunk(Flow& flow);
  // Whether the chunk that is taken at `now` gets lost.
  bool Loses(Time now, const Flow& flow);
  Duration NextInterval();

  const Duration delay_;
  const int64_t rate_;
  const absl::Duration stall_every_;
  const Duration stall_length_;

  std::deque<Flow*> busy_;  // with bytes waiting, in the order of their turns
  Time free_at_;            // when the bottleneck can take a chunk
  std::vector<Passed> passed_;

  std::mt19937_64 random_;
  Duration until_stall_;  // on the stalls' clock
  Time last_chunk_;       // when it was taken
  int64_t stalls_ = 0;
};

}  // namespace predial
