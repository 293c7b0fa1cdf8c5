// Lifetime: how old a connection to one endpoint may get, and how many RPCs it may carry, before
// the server or a proxy ends it. Learned, never configured. Pure.
//
// The scout is the endpoint's anchor: an ordinary gRPC channel, to which an end does no harm, and
// as a rule the oldest connection. A limit on age therefore meets the scout first: when it ends and
// members live on, none of them much older, its age is such a limit. Until that has happened, what
// the scout has survived so far is the proof: no member gets older than a share of the scout's
// present age, so members are replaced at 1, 4, 16, … times the start.
//
// A member that is ended in the midst of its work while the older scout lives was not too old, so
// it had carried too much. If one that began after that end comes to its own at about the same
// number of RPCs, that is a limit on RPCs. (Members side by side prove nothing: they share the
// load, and have carried the same when somebody pulls a plug.)
//
// When scout and members end together the server has ended, which teaches nothing, unless it comes
// again at the same age; and what was learned of it goes, because another may be back in its
// place. An age also goes when the scout outlives it; what members' ends told after a minute, and
// after twice as long each time it had to be learned again.
//
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

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
  // Of a limit, how much a member may use; for jitter up to a fifth less: 60 to 75 %.
  static constexpr double kShare = 0.75;
  static constexpr double kJitter = 0.2;
  // Members younger than this are not replaced because the scout is young.
  static constexpr Duration kStart = std::chrono::seconds(1);
  // No member is replaced on account of what was learned before it is so old: the most that a
  // lesson can cost is one dial per member in this time.
  static constexpr Duration kRotateAfter = std::chrono::milliseconds(50);
  // Ends this close are one event.
  static constexpr Duration kTogether = std::chrono::milliseconds(300);
  // The scout's end is told late, by a sixteenth of its age, and at most by this.
  static constexpr Duration kScoutLateMax = std::chrono::seconds(1);
  // Ages, and counts, that differ by no more than this factor are the same: gRPC servers vary the
  // age by 10 % either way.
  static constexpr double kSame = 1.25;
  // A scout that lives so many times longer than the learned age disproves it. Well above kSame,
  // because servers behind one address may differ.
  static constexpr double kDisproof = 2.5;
  // A limit that was told by members' ends is tried anew after this; twice as long each time, up to
  // the second.
  static constexpr Duration kRelearn = std::chrono::minutes(1);
  static constexpr Duration kRelearnMax = std::chrono::hours(1);
  // Fewer RPCs, or less age, are no limit but an accident.
  static constexpr uint64_t kRpcsMin = 10;
  static constexpr Duration kAgeMin = std::chrono::milliseconds(50);

  explicit Lifetime(const LifetimePolicy& policy) : policy_(policy) {}

  void OnScoutUp(Time now);
  // Its connection ended: it was last seen alive `age` after OnScoutUp. `survivors` members that
  // were ready then still are; the oldest is ready since `oldest`.
  void OnScoutDown(Time now, Duration age, int survivors, Time oldest);
  // There is no scout any more, which says nothing about its connection.
  void OnScoutGone();
  // A ready member's connection was ended by the peer after `rpcs` RPCs. `busy`: it had some until
  // then.
  void OnMemberEnded(Time now, Duration age, uint64_t rpcs, bool busy);
  // Draws conclusions from ends of which all is known. True if a limit has changed.
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

  std::optional<Time> scout_since() const { return scout_since_; }
  // What was learned, if anything was.
  std::optional<Duration> age_limit() const { return age_limit_; }
  std::optional<uint64_t> rpcs_limit() const { return rpcs_limit_; }

 private:
  struct ScoutEnd {
    Time seen;  // it ended after that,
    Time at;    // and before that
    Duration age;
    int survivors;
    Time oldest;
  };
  struct MemberEnd {
    Time at;
    Duration age;
    uint64_t rpcs;
    bool busy;
    Time judge_at;  // by then a scout that ended with it has told so
  };

  using Limits = std::pair<std::optional<Duration>, std::optional<uint64_t>>;

  void JudgeScout(const ScoutEnd& end);
  void JudgeMember(const MemberEnd& end);
  static bool IsTogether(const MemberEnd& member, const ScoutEnd& scout);

  const LifetimePolicy policy_;
  std::optional<Time> scout_since_;
  std::optional<ScoutEnd> scout_end_;     // the last one
  bool scout_judged_ = false;             // that one
  std::optional<Duration> together_age_;  // of the last end that came with the members'
  std::deque<MemberEnd> ends_;            // not yet judged, the newest last
  std::deque<MemberEnd> judged_;          // that may tell a limit, the newest last
  std::optional<Duration> age_limit_;
  std::optional<uint64_t> rpcs_limit_;
  Limits settled_;                // as of the last Settle()
  bool age_guessed_ = false;      // from members' ends, not the scout's
  Time forget_at_ = Time::max();  // what was learned from members' ends
  Duration relearn_ = kRelearn;
};

}  // namespace predial
