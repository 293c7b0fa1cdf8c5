// Lifetime: how old a connection to one endpoint may get, and how many RPCs it may carry, before
// the server or a proxy ends it. Learned, never configured. Pure.
//
// The scout is the endpoint's anchor: an ordinary gRPC channel, to which an end does no harm, and
// always the oldest connection. A limit on age therefore meets the scout first: when it ends and
// members live on, its age is such a limit. Until that has happened, what the scout has survived so
// far is the proof: no member gets older than a share of the scout's present age, so members are
// replaced at 1, 4, 16, … times the start. A member that is ended in the midst of its work while
// the older scout lives was not too old, so it had carried too much: two such ends at about the
// same number of RPCs are a limit on RPCs.
//
// When scout and members end together, the server has ended, which teaches nothing; unless it comes
// again at the same age. What was learned goes when the scout outlives it, or after kRelearn.
//
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "plugin/core/types.h"

namespace predial {

struct LifetimePolicy {
  bool proven = true;  // learn limits
  // The user's own.
  Duration age_max = Duration::max();
  uint64_t rpcs_max = UINT64_MAX;
};

class Lifetime {
 public:
  // Of a limit, how much a member may use; for jitter up to a fifth less.
  static constexpr double kShare = 0.75;
  static constexpr double kJitter = 0.2;
  // Members younger than this are not replaced on the scout's account.
  static constexpr Duration kStart = std::chrono::seconds(1);
  // Ends this close are one event.
  static constexpr Duration kTogether = std::chrono::milliseconds(300);
  // Ages, and counts, that differ by no more than this factor are the same: gRPC servers vary the
  // age by 10 % either way.
  static constexpr double kSame = 1.25;
  // A limit on RPCs is tried anew after this.
  static constexpr Duration kRelearn = std::chrono::minutes(10);
  // Fewer RPCs, or less age, are no limit but an accident.
  static constexpr uint64_t kRpcsMin = 10;
  static constexpr Duration kAgeMin = std::chrono::milliseconds(50);

  explicit Lifetime(const LifetimePolicy& policy) : policy_(policy) {}

  void OnScoutUp(Time now);
  // Its connection ended, `age` after OnScoutUp; `members` were ready on this endpoint.
  void OnScoutDown(Time now, Duration age, int members);
  // A ready member's connection was ended by the peer. `busy`: it had RPCs until then.
  void OnMemberEnded(Time now, Duration age, uint64_t rpcs, bool busy);
  // Draws conclusions from ends that are kTogether old. True if a limit has changed.
  bool Settle(Time now);
  // When Settle() has something to do; Time::max() if never.
  Time NextSettle() const;

  // When a member that is ready since `born` is to be replaced; Time::max() if nothing limits its
  // age. `jitter` in [0, 1) is the member's own.
  struct Due {
    Time at = Time::max();
    RotateReason reason = RotateReason::kNone;
  };
  Due DueByAge(Time born, double jitter) const;

  // How many RPCs it may carry: `worn_at` is when it is to be replaced, `max` the last one.
  struct Rpcs {
    uint64_t worn_at = UINT64_MAX;
    uint64_t max = UINT64_MAX;
    RotateReason reason = RotateReason::kNone;
  };
  Rpcs RpcsOf(double jitter) const;

  // What was learned, if anything was.
  std::optional<Duration> age_limit() const { return age_limit_; }
  std::optional<uint64_t> rpcs_limit() const { return rpcs_limit_; }

 private:
  struct ScoutEnd {
    Time at;
    Duration age;
    int members;
  };
  struct MemberEnd {
    Time at;
    Duration age;
    uint64_t rpcs;
    bool busy;
  };

  bool JudgeScout(const ScoutEnd& end);
  bool JudgeMember(const MemberEnd& end);

  const LifetimePolicy policy_;
  std::optional<Time> scout_since_;
  std::optional<ScoutEnd> scout_end_;     // not yet judged
  std::optional<Time> last_scout_end_;    // judged or not
  std::optional<Duration> together_age_;  // of the last end that came with the members'
  std::deque<MemberEnd> ends_;            // of the last two kTogether
  std::deque<MemberEnd> judged_;          // that may tell a limit, the newest last
  std::optional<Duration> age_limit_;
  std::optional<uint64_t> rpcs_limit_;
  Time rpcs_learned_ = {};
};

}  // namespace predial
