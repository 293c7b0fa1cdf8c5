// ChannelPool: carries out what PoolCore decides, for one target, and tells it what happened.
//
// Threads: Create(), table(), events(), options(), managed(), connectivity(), callback_owner(),
//          Stats(), Shutdown() and Abandon() from any thread; the rest on the event loop's thread.
// Ownership: what the loop calls back into (sockets, watches, timers) is owned here and goes, on
//            the loop's thread, before the pool does. A pool that was abandoned keeps itself alive
//            until the last RPC on it has ended.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "plugin/call_tracker.h"
#include "plugin/checkout_queue.h"
#include "plugin/connectivity.h"
#include "plugin/core/pool_core.h"
#include "plugin/io/anchor.h"
#include "plugin/io/fork_guard.h"
#include "plugin/io/member_setup.h"
#include "plugin/io/resolver.h"
#include "plugin/io/runtime.h"
#include "plugin/io/scout.h"
#include "plugin/io/socket_adoption.h"
#include "plugin/io/socket_pool.h"
#include "plugin/io/state_watch.h"
#include "plugin/io/target.h"
#include "plugin/member_table.h"
#include "plugin/mode.h"
#include "plugin/mutex.h"
#include "plugin/options.h"
#include "plugin/overflow.h"
#include "plugin/spillover.h"
#include "plugin/stats.h"

namespace predial {

class ChannelPool : public std::enable_shared_from_this<ChannelPool> {
 public:
  struct Config {
    Target target;
    PoolOptions options;          // valid
    grpc::ChannelArguments args;  // the user's
    std::shared_ptr<grpc::ChannelCredentials> credentials;
    MemberMode mode;
    // Whether managed members are to have pre-dialed sockets; else why not.
    absl::Status adoption;
    SharedInterceptorFactories interceptors;
    std::vector<std::string> warnings;  // for Stats()
  };

  // Starts connecting at once.
  static std::shared_ptr<ChannelPool> Create(Config config);

  // Whether this process is a child, by fork(), of the one that the pool was made in. Then Stats(),
  // Shutdown() and so on do nothing, and RPCs go to callback_owner(), which fails them.
  bool IsForked() const { return forks_ != ForkCount(); }

  MemberTable& table() { return *targets_->table; }
  PoolEvents* events() { return targets_->events.get(); }  // null without an observer
  const PoolOptions& options() const { return config_.options; }
  // Members are ordinary channels.
  bool managed() const { return config_.mode.managed; }
  Connectivity& connectivity() { return connectivity_; }
  // What an RPC gets its member from instead of table(); null with OverflowPolicy::kShare.
  Overflow* overflow() { return overflow_.get(); }
  // Without an overflow(): for RPCs that find no room, most of them streams.
  Spillover& spillover() { return *spillover_; }
  // Whose completion queue callback RPCs use: it outlives them. RPCs on it fail.
  grpc::Channel* callback_owner() { return callback_owner_.get(); }

  // Waits for the loop's thread, which takes microseconds.
  PoolStats Stats();
  // Drains: true if all RPCs ended before `deadline`. If not, the members' connections are closed.
  bool Shutdown(absl::Time deadline) ABSL_LOCKS_EXCLUDED(mutex_);
  // Of PooledChannel; they return at once.
  void ReplaceConnections();
  void Suspend();
  void Resume();
  // Lets go of everything without waiting; RPCs in flight go on, as with an ordinary channel.
  void Abandon();

 private:
  struct MemberConnection {
    EndpointId endpoint;
    Time connecting_since{};
    bool grpc_dials = false;  // not over a socket that was dialed here
    bool draining = false;
    std::unique_ptr<MemberSetup> setup;      // until it is ready
    std::unique_ptr<ConnectionWatch> watch;  // once it is ready; null if gRPC dialed
    std::unique_ptr<StateWatch> state;       // once it is ready, of a managed one
    Slot* slot = nullptr;                    // once it is ready
    std::unique_ptr<HealthCheck> check;      // while one is under way
  };
  struct EndpointConnections {
    ResolvedEndpoint resolved;
    std::unique_ptr<SocketPool> sockets;  // null if gRPC dials
    // Null when health is off, and while suspended.
    std::unique_ptr<Anchor> anchor;
    std::unique_ptr<Scout> scout;
    std::string last_error;
    int64_t retired_rpcs = 0;  // of members that are gone
  };

  ChannelPool(Config config, std::shared_ptr<Runtime> runtime);

  void Start();
  void RunInLoop(std::function<void()> action);

  // --- Events.
  void OnResolved(absl::StatusOr<std::vector<ResolvedEndpoint>> resolved);
  void OnSetUp(MemberId member, absl::StatusOr<ReadyMember> ready);
  void OnPeerClosed(MemberId member);
  void OnGoingAway(MemberId member, bool without_a_word);
  void OnWorn(MemberId member);
  void OnFailing(MemberId member, FailureStreak streak);
  void OnUnanswered(MemberId member);
  void OnSlotIdle(Slot* slot);
  void OnAttention();
  void OnDialed(EndpointId endpoint, const absl::Status& status, Duration took);
  void OnHealth(EndpointId endpoint, HealthResult result);
  void Tick();

  // --- Orders.
  void Carry(const Actions& actions);
  void Do(const AddEndpoint& order);
  void Do(const RetireEndpoint& order);
  void Do(const RemoveEndpoint& order);
  void Do(const Connect& order);
  void Do(const Drain& order);
  void Do(const Close& order);
  void Do(const Check& order);
  void Do(const Cut& order);
  void Do(const LimitRpcs& order);
  void Do(const SetSpares& order);
  void Do(const WakeAnchor& order);
  void Do(const WakeTargetAnchor& order);
  void Do(const ResolveNow& order);
  void Do(const Publish& order);
  void Do(const SetState& order);

  // --- The end.
  void BeginShutdown();
  bool HasEnded() const;
  void FinishIfEnded() ABSL_LOCKS_EXCLUDED(mutex_);
  void ForceClose();

  // Before there is any RPC. `queue` serves the table.
  void CreateOverflow(std::shared_ptr<CheckoutQueue> queue);
  // The most RPCs at a time on a connection whose peer allows `peer_limit`; 0 means any number.
  uint32_t StreamLimit(uint32_t peer_limit) const;
  // The same, of a connection whose peer's limit is not known.
  uint32_t AssumedStreamLimit() const;
  // What counts as dials of a member's set-up, beside those of a SocketPool.
  void CountDial(const MemberConnection& member, bool connected,
                 const absl::StatusOr<ReadyMember>& ready);
  InterceptorFactories MakeFactories() const;

  // An ordinary channel to the target. Any thread.
  std::shared_ptr<grpc::Channel> CreateAnchor() const;
  // A new target anchor in the place of the present one.
  void RenewAnchor();
  void RetireAnchor();
  // `slot` takes no more RPCs, and goes with its last.
  void RetireAnchor(Slot* slot);
  // As the core has it.
  void UpdateSpillover();
  // A managed member's channel, over `socket`, if gRPC is to adopt it; else gRPC dials the
  // endpoint.
  MemberSetup::Wrapped CreateManagedMember(const ResolvedEndpoint& endpoint, DialedSocket* socket);
  // Whether managed members of an endpoint there have pre-dialed sockets.
  bool MayAdopt(const ResolvedEndpoint& endpoint) const;
  // Of the user's dialer, the first socket is spent on seeing whether gRPC can adopt such. True: it
  // was this one.
  bool SpendOnTrial(DialedSocket& socket);
  // An endpoint's anchor, if there is to be one.
  void StartAnchor(EndpointId endpoint);
  // What RPCs get while the pool is suspended.
  Slot* SuspendedSlot();

  void ScheduleTick();
  void SetAttention();
  LoadSample Sample();
  void CountClosed(EndpointId endpoint, CloseReason reason);
  void Retire(Slot* slot, EndpointId endpoint);
  // Tells gRPC, after `wait` and from then on ever more rarely, that the connections of the
  // lingering RPCs have ended: see WakeIfEnded().
  void WakeLingeringAfter(Duration wait);
  // A managed member that was left may have lost its connection before its RPCs were sent, and wait
  // for a backoff of its own: not while others are known to connect. Whether there are any.
  bool WakeLeftChannels();
  PoolStats MakeStats();
  void AddLifetimes(PoolStats& stats) const;
  void AddDecisions(PoolStats& stats) const;
  void AddBackends(PoolStats& stats) const;
  std::string MissingReason() const;
  std::string NameOf(EndpointId endpoint) const;

  const uint32_t forks_ = ForkCount();
  const Config config_;
  const std::shared_ptr<Runtime> runtime_;
  EventLoop& loop_;
  Connectivity connectivity_{GRPC_CHANNEL_CONNECTING};

  // Set by Create(), const from then on.
  std::shared_ptr<const TrackerTargets> targets_;
  std::shared_ptr<grpc::Channel> callback_owner_;
  std::unique_ptr<Overflow> overflow_;
  std::unique_ptr<Spillover> spillover_;
  grpc::ChannelArguments member_args_;
  std::shared_ptr<Dialer> dialer_;

  // --- Of the loop's thread.
  absl::Status adoption_;  // at first the configuration's
  PoolCore core_;
  std::unique_ptr<Resolver> resolver_;
  std::vector<ResolvedEndpoint> resolved_;  // the last answer
  std::string resolve_error_;               // of the last answer
  std::map<EndpointId, EndpointConnections> endpoints_;
  std::map<MemberId, MemberConnection> members_;
  // Slots of members that are gone, while RPCs still run on them.
  std::map<Slot*, EndpointId> lingering_;
  EventLoop::TimerId wake_lingering_ = EventLoop::TimerId::kNone;  // while there are any
  Time wake_lingering_at_;
  // The ordinary channel to the target itself, which carries RPCs while no member is ready. Null
  // after shutdown, once its last RPC has ended.
  Slot* anchor_slot_ = nullptr;
  uint64_t anchor_rpcs_seen_ = 0;
  std::set<Slot*> old_anchors_;  // and of the spillover, while RPCs still run on them
  PoolStats counts_;             // only what happened so far
  const std::shared_ptr<AdoptionCounters> adoptions_ = std::make_shared<AdoptionCounters>();
  bool dialer_tried_ = false;
  std::vector<std::string> warnings_;  // beside the configuration's
  EventLoop::TimerId tick_ = EventLoop::TimerId::kNone;
  Time tick_at_ = Time::max();
  EventLoop::TimerId attention_ = EventLoop::TimerId::kNone;
  bool shutting_down_ = false;
  bool suspended_ = false;
  Slot* suspended_slot_ = nullptr;  // once it was needed
  bool closed_reported_ = false;
  // Set while an abandoned pool waits for its last RPCs.
  std::shared_ptr<ChannelPool> self_;

  Mutex mutex_;
  std::condition_variable_any ended_changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace predial
