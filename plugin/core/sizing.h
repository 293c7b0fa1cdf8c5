// Sizing: how many members the load asks for. Pure.
//
// Grows at once; shrinks one member at a time, each once it has not been needed for idle_timeout.
// With L RPCs in flight or waiting for a place, and T of them to a member, ceil(L / T) + idle_min
// members are needed, within [min, max], where T = min(streams_target, 80 % of the stream limit:
// the peer's or streams_max): a member at its limit is full, so there is room left for what arrives
// while the next one connects.
//
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/core/types.h"

namespace predial {

struct SizingPolicy {
  int min = 2;
  int max = 16;
  int streams_target = 32;
  Duration idle_timeout = std::chrono::seconds(30);
  int streams_max = 0;  // most RPCs at a time on one member; 0: no limit but the peer's
  int idle_min = 0;     // members beyond those that the load needs
};

class Sizing {
 public:
  // `start` is when the pool begins.
  Sizing(const SizingPolicy& policy, Time start);

  // `in_flight` RPCs, those that wait for a place included, were seen at `now`; `stream_limit` is
  // the peer's, 0 if it has none.
  void OnLoad(Time now, int64_t in_flight, uint32_t stream_limit);

  // Members that the last load needs.
  int wanted() const { return wanted_; }
  // Members to keep at `now`: the most that were needed during the last idle_timeout.
  int Kept(Time now) const;
  // When Kept() will fall if no load comes; Time::max() if it is at the minimum.
  Time NextShrink(Time now) const;

  // RPCs in flight on one member above which another one is wanted.
  int StreamsPerMember(uint32_t stream_limit) const;

 private:
  SizingPolicy policy_;
  int wanted_;
  // needed_[n-1]: when n members were last needed, for n above the minimum.
  std::vector<Time> needed_;
};

}  // namespace predial
