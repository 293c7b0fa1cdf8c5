// PoolCore decides; it never acts. One event in, a list of actions out; ChannelPool carries them
// out.
//
// Purity:    no sockets, threads, locks, clocks, logs or metrics. Time is a parameter, randomness
//            comes from a seed: same events + same seed = same actions.
// Threads:   thread-compatible; used on the event loop's thread only.
// Ownership: holds ids and numbers, never fds or channels.
// Errors:    a failed dial is an event. An event that cannot be (a second outcome of one dial) is a
//            bug and aborts; one that merely comes too late, about a member already closed, is
//            ignored.
//
// Every event changes what the core knows; then Reconcile() compares what there is with what there
// should be, and orders the difference. Nothing is decided anywhere else.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "plugin/core/action.h"
#include "plugin/core/backoff.h"
#include "plugin/core/decision_log.h"
#include "plugin/core/health.h"
#include "plugin/core/lifetime.h"
#include "plugin/core/member.h"
#include "plugin/core/outlier.h"
#include "plugin/core/size_controller.h"
#include "plugin/core/sizing.h"
#include "plugin/core/spread.h"
#include "plugin/core/types.h"

namespace predial {

struct PoolPolicy {
  SizingPolicy sizing;
  BackoffPolicy backoff;
  HealthPolicy health;
  LifetimePolicy lifetime;
  OutlierPolicy outlier;
  // A draining member's connection is ended after this.
  Duration drain_timeout = Duration::max();
  // An endpoint that comes back gets its full share of RPCs only after this.
  Duration slow_start = std::chrono::seconds(1);
  int spares = 1;
  // Spares are kept while the pool was used within this time: their own life time.
  Duration spares_after_use = std::chrono::seconds(20);
  int dials_max = 8;
  // Dial members anew whose backends have too many: see Spread.
  bool spread = false;
  // Streams may go on ordinary channels while the pool grows: see Spillover.
  bool spills = true;
};

// Ordinary channels for the streams that find every member full.
struct SpilloverPlan {
  int channels = 0;   // that there may be, one for each member that there could still be
  bool keep = false;  // those that there are take more streams: members are still on their way
};

// What the data plane counted.
struct LoadSample {
  struct Of {
    MemberId member;
    int64_t in_flight;
    uint64_t rpcs;           // so far
    bool succeeded = false;  // one of them, at least
    // RPCs that were answered, or missed their deadline, and what that took them together; so far,
    // and 0 where nobody measures.
    uint64_t answered = 0;
    Duration latency = {};
  };
  std::vector<Of> members;
  // RPCs that found no ready member: begun since the last sample, and in flight now.
  int64_t anchor_rpcs = 0;
  int64_t anchor_in_flight = 0;
  // RPCs that wait for a place on a member.
  int64_t waiting = 0;
  // RPCs in flight for which a thread waits that made a synchronous call.
  int64_t blocking = 0;
};

// How a connection stood when it ended.
struct ConnectionEnd {
  bool proved = false;    // an RPC on it had been answered
  uint64_t rpcs = 0;      // begun on it
  int64_t in_flight = 0;  // of these, not ended by then
  // Nothing like a GOAWAY came, as far as is known: somebody pulled a plug, which teaches no limit.
  bool without_a_word = false;
};

// How long a member has been silent, when an RPC on it, or on another member of its endpoint, has
// missed its deadline.
struct Silence {
  MemberId member;
  // Since anything came from the peer; sent data is older than that and unacknowledged, and has
  // been sent again: the network, or the host, is gone.
  Duration since_received;
  bool stalled;
  bool unseen = false;  // its connection cannot be looked at: it is to be asked
};

class PoolCore {
 public:
  struct Endpoint {
    Endpoint(EndpointId id, std::string key, const LifetimePolicy& policy)
        : id(id), key(std::move(key)), lifetime(policy) {}

    EndpointId id;
    std::string key;
    Lifetime lifetime;
    Spread spread;
    bool listed = true;   // by the last resolution
    bool serving = true;  // as far as its health service says
    int failures = 0;     // failed attempts in a row
    Time last_failure = {};
    Time retry_at = {};         // not before, without demand
    Time demand_retry_at = {};  // not before, with demand
    int spares = 0;             // as ordered

    // RPCs fail on its members, which are replaced for it: `times` in a row, without an RPC that
    // ended well on a member that came after `since`, the last time.
    struct Trouble {
      int times = 0;
      Time since = {};
      Time retry_at = {};  // no member that came after `since` is replaced before
    };
    Trouble ailing;  // as of an ailing server or connection
    Trouble erring;  // whatever the codes, or no answers at all
    // Its members were ailing again after being replaced: none before this,
    Time ejected_until = {};
    bool ejected = false;  // as of the last event
    // then one, until an RPC ends well on it, or nothing is heard until:
    bool half_open = false;
    Time half_open_until = {};
    // Nothing came back from it: new members are primed, until one of them is ready, a check is
    // answered, an RPC ends well on one that came after, or one is ready and all spares from before
    // are gone.
    bool suspect = false;
    Time suspect_since = {};
    // When its first member became ready after it had been away; full share after slow_start.
    Time returned = {};
  };

  PoolCore(const PoolPolicy& policy, uint64_t seed, Time start);

  // --- Events. Each returns what is to be done about it.

  // The target's endpoints, each named once. Never empty: a failed resolution is OnResolveFailed.
  Actions OnResolved(Time now, const std::vector<std::string>& keys);
  Actions OnResolveFailed(Time now);
  // A member ordered by Connect is usable; `stream_limit` is the peer's, 0 if none. What to size by
  // if the peer's cannot be known is `assumed_limit`.
  Actions OnReady(Time now, MemberId member, uint32_t stream_limit, uint32_t assumed_limit = 0);
  Actions OnConnectFailed(Time now, MemberId member, DialResult result);
  // The connection ended. One that ends soon and unproved is a failed attempt, so that a server
  // that accepts and hangs up is not dialed in a loop.
  Actions OnPeerClosed(Time now, MemberId member, const ConnectionEnd& end);
  Actions OnDrained(Time now, MemberId member);
  // An RPC found that the connection takes no more: a GOAWAY came, or it is closed.
  Actions OnGoingAway(Time now, MemberId member, const ConnectionEnd& end);
  Actions OnChecked(Time now, MemberId member, HealthResult result);
  // A message of the endpoint's health watch, or its end (kNoAnswer).
  Actions OnWatched(Time now, EndpointId endpoint, HealthResult result);
  // The endpoint's scout (see Lifetime) is connected; its connection ended, at `age` or a little
  // later.
  Actions OnScoutUp(Time now, EndpointId endpoint);
  Actions OnScoutDown(Time now, EndpointId endpoint, Duration age);
  // The member has carried as many RPCs as LimitRpcs said.
  Actions OnWorn(Time now, MemberId member);
  // RPCs on the member failed, one after the other.
  Actions OnFailing(Time now, MemberId member, FailureStreak streak);
  // An RPC on a member missed its deadline: how it and the other members of its endpoint that have
  // RPCs stand.
  Actions OnUnanswered(Time now, const std::vector<Silence>& members);
  // An RPC on the member was answered, and the server named itself.
  Actions OnNamed(Time now, MemberId member, std::string backend);
  // Replace all members, gently.
  Actions OnReplaceAll(Time now);
  // No connections from here on, until OnResumed.
  Actions OnSuspended(Time now);
  Actions OnResumed(Time now);
  // NextTick() has come, or the data plane asked for attention.
  Actions OnTick(Time now, const LoadSample& load);
  // Drains everything; the last action of each member is still its Close.
  Actions OnShutdown(Time now);

  // When OnTick() is due next; Time::max() if nothing is waited for. Not after `now` if something
  // has fallen due since the last event.
  Time NextTick(Time now) const;

  // --- What it knows, for statistics and tests.
  const PoolPolicy& policy() const { return policy_; }
  const std::map<MemberId, Member>& members() const { return members_; }
  const std::map<EndpointId, Endpoint>& endpoints() const { return endpoints_; }
  PoolState state() const { return state_; }
  // Members that there should be, by the load or by measuring (SizingKind); at least one for each
  // usable endpoint, within the limits.
  int wanted() const;
  bool panic() const { return panic_; }
  bool active() const { return active_; }
  int64_t ejections() const { return ejections_; }
  int64_t readmissions() const { return readmissions_; }
  // Rotations begun, by RotateReason.
  const std::array<int64_t, kRotateReasons>& rotations() const { return rotations_; }
  const DecisionLog& log() const { return log_; }
  // Why the pool has the size that it has, or is on the way to.
  const std::string& size_reason() const { return sizing_.reason(); }
  // The smallest among the ready members', as far as it is known or assumed; 0: there is none.
  uint32_t stream_limit() const { return stream_limit_; }
  // RPCs in flight on a member that mean that another one is wanted.
  int streams_per_member() const {
    return sizing_.StreamsPerMember(stream_limit_, static_cast<int>(members_.size()),
                                    usable_endpoints());
  }
  SpilloverPlan spillover() const;
  // Whether threads that wait for their RPCs are many, and had better keep to a member each.
  bool stays() const { return sizing_.callers() > 1; }

 private:
  struct Tally {
    int connecting = 0;
    int ready = 0;
    int ejected = 0;
    int suspect = 0;   // ejected, but only until a check is answered: not in `ejected`
    int rotating = 0;  // ready, but being replaced: not in `ready`
    int used() const { return connecting + ready + suspect; }
    int held() const { return ready + suspect + ejected + rotating; }  // connected
  };

  // All of what follows compares, orders, and appends to `actions`.
  void Reconcile(Time now, Actions& actions);
  void JudgeHealth(Time now, Actions& actions);
  void RemoveEndpoints(Actions& actions);
  void ConnectMissing(Time now, Actions& actions);
  void DrainSurplus(Time now, Actions& actions);
  // One above the maximum may be connecting: in the place of one that is being replaced, or to find
  // out whether an endpoint is back, which else would wait for as long as the others are needed.
  // Once it is ready, another one goes.
  void KeepMaximum(Time now, Actions& actions);
  void CheckQuiet(Time now, Actions& actions);
  // Sizing: sizing_load.cc.
  int usable_endpoints() const;
  // The members' part of `load`, before it is taken over.
  SizeController::Load LoadOf(const LoadSample& load) const;
  void JudgeLoad(Time now, const SizeController::Load& load);
  // Rotation: rotation.cc.
  void SettleLifetimes(Time now, Actions& actions);
  void BeginRotations(Time now);
  void Rotate(Time now, Member& member, RotateReason reason);
  void DrainReplaced(Time now, Actions& actions);
  void CutLate(Time now, Actions& actions);
  void OrderLimit(Member& member, Actions& actions) const;
  // When, and why, a ready member is to be replaced.
  Lifetime::Due DueOf(const Member& member) const;
  Time NextRotation(Time now) const;
  // Selection: selection.cc.
  void JudgeLatencies(Time now, const LoadSample& load);
  void BeginSpread(Time now);
  void OrderSpares(Time now, Actions& actions);
  void PublishReady(Time now, Actions& actions);
  // How often a member of the endpoint is named in what is published: see MemberTable::Publish.
  int WeightOf(Time now, const Endpoint& endpoint) const;
  int WeightOf(Time now, const Member& member) const;
  void JudgeState(Actions& actions);

  void CloseMember(Time now, Member& member, CloseReason reason, Actions& actions);
  void DrainMember(Time now, Member& member, CloseReason reason, Actions& actions);
  // An RPC on it ended well.
  void NoteSuccess(Time now, const Member& member);
  // Whether a member on which RPCs fail may be replaced now.
  bool NoteTrouble(Time now, const Member& member, Endpoint::Trouble& trouble);
  // Its spares were dialed when its members were: they may be as bad. New ones are ordered later.
  void DropSpares(Endpoint& endpoint, Actions& actions);
  void Suspect(Time now, Endpoint& endpoint);
  // Out of use until a quick check is answered.
  void SuspectMember(Time now, Member& member, const std::string& reason, Actions& actions);
  // A failed dial is held against an endpoint until the next one, or, if it has all the members
  // that it should have, until its backoff is over: nobody may want to dial it for long.
  void ForgetFailures(Time now);
  void CloseHalfOpen(Time now, Endpoint& endpoint, const char* reason);
  void Eject(Time now, Member& member, std::string reason);
  void Readmit(Time now, Member& member, std::string reason);
  void Log(Time now, const char* what, const Member& member, std::string reason);
  void Log(Time now, const char* what, const Endpoint& endpoint, std::string reason);
  void NoteFailure(Time now, const Member& attempt, DialResult result);
  // The end of a member's connection, which is a failed attempt if it was of no use.
  void NoteEnd(Time now, const Member& member, const ConnectionEnd& end);

  Member* Find(MemberId id);  // nullptr if it is gone
  std::map<EndpointId, Tally> CountMembers() const;
  bool IsUsable(const Endpoint& endpoint) const;
  // Whether it has failed, and has no member, nor one on the way.
  bool IsOut(const Endpoint& endpoint, const Tally& tally) const;
  // Drains one of `endpoint`'s ready members: the one with the least to do.
  void DrainOne(Time now, EndpointId endpoint, CloseReason reason, Actions& actions);
  // How many of `wanted` each usable endpoint should have: all the same. One that fails and has no
  // ready member gets one on top: the attempt that finds out whether it is back.
  std::map<EndpointId, int> Shares(int wanted) const;
  // The usable endpoint that is the furthest above its share; nullopt if none is above it.
  std::optional<EndpointId> MostAbove(const std::map<EndpointId, int>& shares) const;
  Time RetryAt(const Endpoint& endpoint) const;
  double Random();

  const PoolPolicy policy_;
  std::mt19937_64 random_;
  SizeController sizing_;
  OutlierJudge outliers_;

  uint64_t last_id_ = 0;
  std::map<MemberId, Member> members_;
  std::map<EndpointId, Endpoint> endpoints_;

  bool shut_down_ = false;
  bool suspended_ = false;
  bool resolve_now_ = false;  // to be ordered at the end of this event
  bool resolve_failed_ = false;
  bool panic_ = false;
  bool demand_ = false;  // RPCs found no ready member lately
  bool active_ = false;  // RPCs ran since the tick before
  Time last_activity_ = {};
  Time last_tick_;
  Time reconciled_at_;        // the last event
  Time local_retry_at_ = {};  // this process could not dial: see DialResult::kLocalLimit
  int local_failures_ = 0;
  Time last_refusal_ = {};  // the last one that was logged
  uint32_t stream_limit_ = 0;
  int64_t ejections_ = 0;
  int64_t readmissions_ = 0;
  std::array<int64_t, kRotateReasons> rotations_ = {};
  DecisionLog log_;
  std::vector<MemberId> published_;
  PoolState state_ = PoolState::kConnecting;
};

}  // namespace predial
