// Sizing: how many members the load asks for. Pure.
//
// Grows at once. With L RPCs in flight or waiting for a place,
//   max(min(ceil(L / streams_target), P), ceil(L / R), C) + idle_min
// members are needed, within [min, max].
//   R  the share streams_filled of the stream limit (the peer's or streams_max). Without a limit,
//      no member for it
//   P  parallel_max, rounded up to the same number for each endpoint: where no limit asks for them,
//      more members than can be served at the same time only cost
//   C  callers that keep a thread each waiting, so that threads need not take turns at a
//      connection's lock and socket; SizeController counts them
//
// Shrinks late, and not far at a time. A member goes when all of this holds:
//   three low runs  the load did not need it in three windows of idle_timeout / 3 in a row
//   band            in the last of them it was never above 80 % of what the members left aim at
//                   (kBand times streams_target and R), so that the next RPC does not bring the
//                   member back
//   step cap        no more than half of the members go in one step, and the next step comes
//                   kStepSpacing (a window, if that is shorter) later
// A growth needs every member there is, so none goes within idle_timeout of it: that is the
// cooldown.
//
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "plugin/core/types.h"

namespace predial {

// What decides how many members there are.
enum class SizingKind {
  // The load: RPCs in flight to a member, as above.
  kDemand,
  // Measuring which size serves the load best: core/adaptive_sizing.h. Where there are too few RPCs
  // to measure by, or it has been wrong, as kDemand.
  kAdaptive,
};

struct SizingPolicy {
  int min = 2;
  int max = 16;
  int streams_target = 32;
  int parallel_max = std::numeric_limits<int>::max();  // members for streams_target's sake
  int callers_max = 0;  // members for the sake of callers that wait: SizeController
  Duration idle_timeout = std::chrono::seconds(30);
  int streams_max = 0;  // most RPCs at a time on one member; 0: no limit but the peer's
  // What comes while another one is on its way finds room in the rest, or waits for a stream.
  double streams_filled = 0.95;
  int idle_min = 0;  // members beyond those that the load needs
  SizingKind kind = SizingKind::kDemand;
};

class Sizing {
 public:
  static constexpr double kBand = 0.8;
  static constexpr Duration kStepSpacing = std::chrono::seconds(1);

  // `start` is when the pool begins.
  Sizing(const SizingPolicy& policy, Time start);

  // `in_flight` RPCs, those that wait for a place included, were seen at `now`; `stream_limit` is
  // the peer's, 0 if it has none; `endpoints` are those in use; `callers` are C.
  void OnLoad(Time now, int64_t in_flight, uint32_t stream_limit, int endpoints = 1,
              int callers = 0);

  // Members that the last load needs.
  int wanted() const { return wanted_; }
  // Members to keep at `now`: those that are wanted, and those that may not go yet.
  int Kept(Time now) const;
  // When Kept() will fall if no load comes; Time::max() if it is at the minimum.
  Time NextShrink(Time now) const;

  // RPCs in flight on each of `members` above which another one is wanted.
  int StreamsPerMember(uint32_t stream_limit, int members, int endpoints = 1) const;

 private:
  // R; 0: there is no limit.
  int Roomy(uint32_t stream_limit) const;
  int ParallelMax(int endpoints) const;
  // With `share` of what a member is to have.
  int MembersFor(double in_flight, double share, uint32_t stream_limit, int endpoints,
                 int callers) const;
  // What Kept() is without the step cap.
  int Needed(Time now) const;
  // When member number `count` may go.
  Time LeaveAt(int count) const;

  SizingPolicy policy_;
  Duration window_;
  int wanted_;
  int held_;        // what Kept() was at the last load
  Time stepped_{};  // when it last fell
  // [n-1]: when n members were last needed, and last needed by the band, for n above the minimum.
  std::vector<Time> needed_;
  std::vector<Time> banded_;
};

}  // namespace predial
