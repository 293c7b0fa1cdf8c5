// Spread: how the members behind one address are spread over the servers there (its backends), and
// when one of them is to be dialed anew. Pure.
//
// A balancer that passes connections on (L4: a Kubernetes ClusterIP, HAProxy in TCP mode, …) gives
// each to one backend for its life, and not always another one. Which, the server says in a
// response header. A member is dialed anew when its backend has at least two members more than
// another one, so that moving one is a gain, or has them all, so that there may be others; one at a
// time, the new connection first. A gain is one that comes to a backend below its fair share (all
// members / all backends); so each gain brings it nearer to even, and there is an end. If what
// comes is no gain, and again, the balancer has no other to give (it goes by the client's address,
// say), and it is left alone for a while, longer each time:
//
//   kBurst tries at once, one more every kRefill
//   kTriesMax in vain, one after the other: a pause of kPauseMin, then one try;
//   in vain again: twice the pause, up to kPauseMax. A backend never seen before ends it.
//
// Threads: thread-compatible.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plugin/core/types.h"

namespace predial {

class Spread {
 public:
  static constexpr double kBurst = 8;
  static constexpr Duration kRefill = std::chrono::seconds(5);
  static constexpr int kTriesMax = 3;
  static constexpr Duration kPauseMin = std::chrono::minutes(1);
  static constexpr Duration kPauseMax = std::chrono::hours(1);
  // A try that shows no backend within this was in vain.
  static constexpr Duration kPatience = std::chrono::seconds(30);
  // A new member has so long to be named before the others are judged without it.
  static constexpr Duration kSettle = std::chrono::seconds(2);
  // A backend without members counts as there for so long, and no more than so many do.
  static constexpr Duration kRemember = std::chrono::minutes(5);
  static constexpr size_t kSeenMax = 64;

  struct Held {
    MemberId id;
    std::string backend;  // empty: not named yet
    Time ready_since;
    int64_t in_flight;
  };

  // A member of `backend` that was begun at `began`. Of all `named` members, itself included,
  // `here` are there, too.
  void OnNamed(Time now, const std::string& backend, Time began, int here, int named);

  // The member to be dialed anew now, of all that take RPCs; nullopt: none. Whoever asks does it.
  std::optional<MemberId> Next(Time now, const std::vector<Held>& members);

  // A try is under way.
  bool trying() const { return try_.has_value(); }

 private:
  struct Try {
    Time since;
    int members;  // of the backend that it is to leave
  };

  void Judge(Time now, bool gain);

  std::map<std::string, Time> seen_;  // when it last had a member
  double tokens_ = kBurst;
  Time refilled_ = {};
  std::optional<Try> try_;
  int in_vain_ = 0;  // in a row
  Time pause_until_ = {};
};

}  // namespace predial
