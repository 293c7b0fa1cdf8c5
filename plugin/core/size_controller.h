// SizeController: how many members the pool should have, and why. Pure.
//
// Joins the demand's size (Sizing) with the measured one (AdaptiveSizing, with
// SizingKind::kAdaptive) and tells when the result changes, for the decision log.
//
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "plugin/core/adaptive_sizing.h"
#include "plugin/core/sizing.h"
#include "plugin/core/types.h"

namespace predial {

class SizeController {
 public:
  static constexpr Duration kFloorSpan = std::chrono::seconds(5);
  // Below so many RPCs a second for each, threads that share a connection seldom meet.
  static constexpr int kRpcsPerCaller = 1000;

  SizeController(const SizingPolicy& policy, uint64_t seed, Time start);

  // What all members together showed.
  struct Load {
    int64_t in_flight = 0;  // now, on members
    int64_t anchor = 0;     // now, of those that found no ready member
    int64_t waiting = 0;    // now, for a place
    int64_t blocking = 0;   // now, of those that keep their caller's thread waiting
    // Since the sample before: RPCs begun, and those that were answered and measured, with their
    // times together. Only SizingKind::kAdaptive looks at the latter.
    uint64_t rpcs = 0;
    uint64_t answered = 0;
    Duration latency = {};
    int ready = 0;              // members now
    uint32_t stream_limit = 0;  // the peer's, 0 if it has none
    int endpoints = 1;          // in use
    int resolved = 1;           // endpoints that there are, in use or not
  };
  // size() has become another one.
  struct Change {
    int from;
    int to;
    std::string reason;
  };
  std::optional<Change> OnLoad(Time now, const Load& load);

  // Members to have: those missing are to be connected.
  int wanted() const;
  // Members not to let go of at `now`: at least wanted().
  int Kept(Time now) const;
  // When Kept() will fall if no load comes; Time::max() if it will not.
  Time NextShrink(Time now) const;
  // RPCs in flight on one of `members` that are a reason to look at the load.
  int StreamsPerMember(uint32_t stream_limit, int members, int endpoints) const {
    return demand_.StreamsPerMember(stream_limit, members, endpoints);
  }

  // Callers that wait on threads of their own and come fast enough to be worth a member each, up to
  // SizingPolicy::callers_max. None with several endpoints, even if one is in use: they take turns,
  // so that no caller could stay on its member, and the more connections a server has when it goes
  // away, the more callers it takes by surprise.
  int callers() const { return callers_; }
  // Kept() as of the last load, and why.
  int size() const { return size_; }
  const std::string& reason() const { return reason_; }

 private:
  bool IsMeasured() const { return adaptive_.has_value() && !adaptive_->follows(); }
  std::string Reason(const Load& load, int from) const;

  // Finds callers_: one for each kRpcsPerCaller a second at most.
  void CountCallers(Time now, const Load& load);

  // Members without which RPCs would wait for a stream: one at its limit at most by the RPCs in
  // flight now, and 80 % of that by their mean over a second; the most of the last kFloorSpan.
  int Floor(Time now, int64_t in_flight, uint32_t stream_limit);

  const SizingPolicy policy_;
  Sizing demand_;
  std::optional<AdaptiveSizing> adaptive_;
  // Since counted_from_, when callers_ was found.
  uint64_t rpcs_ = 0;
  Time counted_from_;
  int callers_ = 0;
  double usual_in_flight_ = 0;
  Time last_load_;
  // The most that the stream limits needed lately: since floor_since_, and in the kFloorSpan
  // before.
  int floor_ = 0;
  int old_floor_ = 0;
  Time floor_since_;
  int size_;
  std::string reason_;
};

}  // namespace predial
