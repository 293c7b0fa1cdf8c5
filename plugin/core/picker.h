// Chooses one of a list of ready members. Pure: the loads and the randomness are passed in.
//
// Threads: the functions hold no state; the loads may change while they run, which costs balance
//          and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>

namespace predial {

enum class PickerKind {
  // Each calling thread goes round the members. Where several busy threads wait for their RPCs, and
  // there is one server, each stays on a member for some RPCs first: MemberTable::SetStay. Default.
  kRoundRobin,
  // Of two random members the one with fewer RPCs in flight. For RPCs of very different lengths.
  kPowerOfTwoChoices,
  // The member with the fewest RPCs in flight. Looks at every member: for pools of up to about 16.
  kLeastLoaded,
  // Of two random members the one with the lower latency x RPCs in flight, where the latency is an
  // average that a slow answer raises at once: see core/peak_ewma.h. For servers that are not
  // equally fast, or not always. Unary RPCs are measured. Reads the clock twice for each RPC.
  kPeakEwma,
};

// Spreads consecutive tickets over 64 bits (the finalizer of Steele, Lea and Flood's SplitMix64).
inline uint64_t MixTicket(uint64_t ticket) {
  ticket += 0x9E3779B97F4A7C15;
  ticket = (ticket ^ (ticket >> 30)) * 0xBF58476D1CE4E5B9;
  ticket = (ticket ^ (ticket >> 27)) * 0x94D049BB133111EB;
  return ticket ^ (ticket >> 31);
}

// An index into the `count` > 0 members. `ticket` is one more with each pick of a thread, starting
// anywhere; `load(i)` is member i's RPCs in flight, or for kPeakEwma its cost.
template <typename Load>
size_t Pick(PickerKind kind, size_t count, uint64_t ticket, const Load& load) {
  switch (kind) {
    case PickerKind::kRoundRobin:
      break;
    case PickerKind::kPowerOfTwoChoices:
    case PickerKind::kPeakEwma: {
      if (count < 2) return 0;
      const uint64_t random = MixTicket(ticket);
      const size_t a = (random & 0xFFFFFFFF) % count;
      size_t b = (random >> 32) % (count - 1);
      if (b >= a) ++b;  // never the same two
      return load(b) < load(a) ? b : a;
    }
    case PickerKind::kLeastLoaded: {
      // From a changing start, so that equals take turns.
      size_t best = ticket % count;
      auto least = load(best);
      for (size_t i = 1; i < count && least > 0; ++i) {
        const size_t at = (ticket + i) % count;
        const auto here = load(at);
        if (here < least) {
          best = at;
          least = here;
        }
      }
      return best;
    }
  }
  return ticket % count;
}

}  // namespace predial
