// The pool's beginning and its events, but those about members: channel_pool_members.cc. What it is
// ordered to do is in channel_pool_orders.cc, what its user asks of it in channel_pool_life.cc.
#include "plugin/channel_pool.h"

#include <grpc/support/log.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/processors.h"
#include "plugin/io/tcp_dialer.h"
#include "plugin/lame_channel.h"

namespace predial {
namespace {

// How soon after one look at the load the data plane may ask for the next.
constexpr Duration kAttentionSpacing = std::chrono::milliseconds(10);

Duration ToDuration(absl::Duration duration) { return absl::ToChronoNanoseconds(duration); }

BackoffPolicy ToPolicy(const BackoffOptions& options) {
  return {ToDuration(options.initial), options.multiplier, ToDuration(options.max), options.jitter,
          ToDuration(options.under_demand)};
}

PoolPolicy ToPolicy(const PoolOptions& options, const MemberMode& mode) {
  PoolPolicy policy;
  policy.sizing.min = options.connections_min;
  policy.sizing.max = options.connections_max;
  if (options.streams_per_connection_target > 0) {
    policy.sizing.streams_target = options.streams_per_connection_target;
  } else {
    const int processors = UsableProcessors();
    policy.sizing.parallel_max = 2 * processors;
    // A member of a whole target has connections to all its servers.
    if (!mode.whole_target) policy.sizing.callers_max = 4 * processors;
  }
  policy.sizing.idle_timeout = ToDuration(options.idle_timeout);
  policy.sizing.streams_max = options.streams_per_connection_max;
  // What finds no room fails there.
  if (options.overflow == OverflowPolicy::kFailFast) policy.sizing.streams_filled = 0.8;
  policy.sizing.idle_min = options.connections_idle_min;
  policy.sizing.kind = options.sizing;
  policy.backoff = ToPolicy(options.backoff);
  // Not the same for all processes of a host.
  static const Time first_together = Clock::now();
  static std::atomic<uint64_t> pools{0};
  policy.health = {options.health.enabled, ToDuration(options.health.interval),
                   options.health.failures_max, options.health.panic_threshold,
                   ChecksTogether(first_together, pools.fetch_add(1, std::memory_order_relaxed))};
  // Of the connections in one of these members, none is the oldest.
  policy.lifetime.proven = options.proven_lifetime && !mode.whole_target;
  policy.lifetime.age_max = ToDuration(options.connection_age_max);
  if (options.requests_per_connection_max > 0) {
    policy.lifetime.rpcs_max = options.requests_per_connection_max;
  }
  policy.outlier.factor = options.latency_outlier_factor;
  policy.spread = !options.backend_metadata.empty();
  policy.spills = !mode.whole_target;
  policy.drain_timeout = ToDuration(options.drain_timeout);
  policy.slow_start = ToDuration(options.slow_start);
  policy.spares = options.spares;
  policy.spares_after_use = ToDuration(options.spare_lifetime);
  policy.dials_max = options.dials_max;
  return policy;
}

}  // namespace

std::shared_ptr<ChannelPool> ChannelPool::Create(Config config) {
  const std::shared_ptr<ChannelPool> pool(new ChannelPool(std::move(config), Runtime::Get()));
  const std::weak_ptr<ChannelPool> weak = pool;
  EventLoop& loop = pool->loop_;
  // RPC threads may signal after the pool is gone; the loop itself lives as long as the pool that
  // is locked.
  const auto post = [weak](auto action) {
    if (std::shared_ptr<ChannelPool> locked = weak.lock()) {
      EventLoop& loop = locked->loop_;
      loop.Post([locked = std::move(locked), action] { action(*locked); });
    }
  };
  MemberTable::Signals signals;
  signals.attention = [post] { post([](ChannelPool& pool) { pool.OnAttention(); }); };
  signals.idle = [post](Slot* slot) { post([slot](ChannelPool& pool) { pool.OnSlotIdle(slot); }); };
  signals.going_away = [post](MemberId member, bool without_a_word) {
    post([member, without_a_word](ChannelPool& pool) { pool.OnGoingAway(member, without_a_word); });
  };
  signals.worn = [post](MemberId member) {
    post([member](ChannelPool& pool) { pool.OnWorn(member); });
  };
  signals.failing = [post](MemberId member, FailureStreak streak) {
    post([member, streak](ChannelPool& pool) { pool.OnFailing(member, streak); });
  };
  signals.unanswered = [post](MemberId member) {
    post([member](ChannelPool& pool) { pool.OnUnanswered(member); });
  };
  signals.named = [post](MemberId member, const std::string& backend) {
    post([member, backend](ChannelPool& pool) {
      pool.Carry(pool.core_.OnNamed(pool.loop_.Now(), member, backend));
    });
  };

  const PoolOptions& options = pool->config_.options;
  const bool strict = options.overflow != OverflowPolicy::kShare;
  const auto queue = strict ? std::make_shared<CheckoutQueue>(options.waiters_max) : nullptr;
  // At once, on the thread that finds it: somebody waits.
  signals.room = [queue, forks = ForkCount()] {
    if (forks == ForkCount()) queue->Dispatch();  // else those who waited did so in a parent
  };
  auto targets = std::make_shared<TrackerTargets>();
  targets->runtime = pool->runtime_;
  // A channel to the whole target has no other to send to, and a retry policy its own mind.
  const MemberMode& mode = pool->config_.mode;
  const bool retries = !mode.whole_target && !mode.service_config;
  targets->retries = std::make_shared<RetryLedger>(retries ? options.never_sent_retries_max : 0);
  targets->table = std::make_shared<MemberTable>(
      MemberTable::Options{options.connections_max,
                           options.picker,
                           options.alive_check,
                           {static_cast<uint32_t>(options.health.rpc_failures_max),
                            static_cast<uint32_t>(options.health.rpc_errors_max)},
                           ToDuration(options.latency_decay),
                           /*count_latency=*/options.latency_outlier_factor > 0 ||
                               options.sizing == SizingKind::kAdaptive,
                           strict},
      std::move(signals));
  targets->backend_metadata = options.backend_metadata;
  targets->managed = mode.managed;
  targets->many_connections = mode.whole_target;
  if (options.observer != nullptr) {
    targets->events = options.observer->OnPoolCreated(
        pool->config_.target.text, [weak]() -> std::optional<PoolStats> {
          const std::shared_ptr<ChannelPool> locked = weak.lock();
          if (locked == nullptr) return std::nullopt;
          return locked->Stats();
        });
  }
  pool->targets_ = targets;
  // Lame, so that it has no connection and is no part of a circle of owners.
  // Made now, for RPCs in a child, which could not make it.
  pool->callback_owner_ = CreateLameChannel(
      pool->config_.target.text,
      grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                   absl::StrCat("PooledChannel to ", pool->config_.target.text,
                                " was made before fork(): its connections are the parent's, and a "
                                "child process cannot use them. Fork before gRPC is used, and make "
                                "a channel in the child")));
  if (strict) pool->CreateOverflow(queue);
  pool->spillover_ = std::make_unique<Spillover>(
      pool->table(), [pool = pool.get()] { return pool->CreateAnchor(); });
  pool->RenewAnchor();
  pool->UpdateSpillover();
  loop.Post([pool] { pool->Start(); });
  return pool;
}

ChannelPool::ChannelPool(Config config, std::shared_ptr<Runtime> runtime)
    : config_(std::move(config)),
      runtime_(std::move(runtime)),
      loop_(runtime_->loop()),
      member_args_(config_.args),
      dialer_(config_.options.dialer != nullptr ? config_.options.dialer
                                                : CreateTcpDialer(config_.options.socket)),
      adoption_(config_.adoption),
      core_(ToPolicy(config_.options, config_.mode), std::random_device()(), loop_.Now()) {
  const grpc_channel_args args = config_.args.c_channel_args();
  // gRPC takes the one that is for tests for the authority, too.
  const bool has_authority =
      std::any_of(args.args, args.args + args.num_args, [](const grpc_arg& arg) {
        const absl::string_view key = arg.key;
        return key == GRPC_ARG_DEFAULT_AUTHORITY || key == GRPC_SSL_TARGET_NAME_OVERRIDE_ARG;
      });
  if (!has_authority && !config_.mode.whole_target) {
    member_args_.SetString(GRPC_ARG_DEFAULT_AUTHORITY, config_.target.authority);
  }
}

void ChannelPool::Start() {
  if (shutting_down_) return;
  runtime_->poller().NoteActivity();
  resolver_ = CreateResolver(loop_, config_.target, ToDuration(config_.options.resolve_interval));
  resolver_->Start([this](absl::StatusOr<std::vector<ResolvedEndpoint>> resolved) {
    OnResolved(std::move(resolved));
  });
}

void ChannelPool::RunInLoop(std::function<void()> action) {
  if (loop_.InLoop()) return action();
  Mutex mutex;
  std::condition_variable_any done_changed;
  bool done = false;
  loop_.Post([&] {
    action();
    MutexLock lock(mutex);
    done = true;
    done_changed.notify_one();  // under the lock: the waiter owns the variable
  });
  std::unique_lock<Mutex> lock(mutex);
  done_changed.wait(lock, [&] { return done; });
}

void ChannelPool::OnResolved(absl::StatusOr<std::vector<ResolvedEndpoint>> resolved) {
  if (!resolved.ok()) {
    resolve_error_ = std::string(resolved.status().message());
    return Carry(core_.OnResolveFailed(loop_.Now()));
  }
  resolve_error_.clear();
  resolved_ = *std::move(resolved);
  std::vector<std::string> keys;
  for (const ResolvedEndpoint& endpoint : resolved_) keys.push_back(endpoint.Key());
  Carry(core_.OnResolved(loop_.Now(), keys));
}

void ChannelPool::OnSlotIdle(Slot* slot) {
  const uint64_t rpcs = slot->rpcs();
  if (old_anchors_.count(slot) > 0) {
    if (!table().Free(slot)) return;
    counts_.checkouts_anchor += rpcs;
    old_anchors_.erase(slot);
  } else if (auto found = lingering_.find(slot); found != lingering_.end()) {
    if (!table().Free(slot)) return;
    const EndpointId endpoint = found->second;
    lingering_.erase(found);
    Retire(slot, endpoint);
  } else {
    // The member may have been closed, and its slot opened for another, since this was signalled.
    for (const auto& [id, member] : members_) {
      if (member.slot != slot || slot->in_flight() > 0) continue;
      Carry(core_.OnDrained(loop_.Now(), id));
      break;
    }
  }
  FinishIfEnded();
}

void ChannelPool::OnAttention() {
  if (shutting_down_) return;
  Tick();
  if (attention_ != EventLoop::TimerId::kNone) return;
  attention_ = loop_.RunAt(loop_.Now() + kAttentionSpacing, [this] {
    attention_ = EventLoop::TimerId::kNone;
    Tick();
  });
}

void ChannelPool::OnDialed(EndpointId endpoint, const absl::Status& status, Duration took) {
  const DialResult result = DialResultOf(status);
  ++counts_.dials[static_cast<int>(result)];
  if (events() != nullptr) events()->OnDialEnded(NameOf(endpoint), result, took);
}

void ChannelPool::CountClosed(EndpointId endpoint, CloseReason reason) {
  ++counts_.closed[static_cast<int>(reason)];
  if (events() != nullptr) events()->OnConnectionClosed(NameOf(endpoint), reason);
}

void ChannelPool::OnHealth(EndpointId endpoint, HealthResult result) {
  ++counts_.health_checks[static_cast<int>(result)];
  if (events() != nullptr) events()->OnHealthChecked(NameOf(endpoint), result);
}

void ChannelPool::Tick() {
  if (shutting_down_) return;
  const LoadSample load = Sample();
  Carry(core_.OnTick(loop_.Now(), load));
  if (core_.active()) runtime_->poller().NoteActivity();
  // While members are ready, nobody looks after the anchor's connection: by the time it is needed
  // again, it may be as dead as theirs. One that has none yet cannot lose an RPC that way.
  const bool unused = load.anchor_rpcs == 0 && load.anchor_in_flight == 0;
  if (core_.state() == PoolState::kReady && unused && anchor_slot_->rpcs() > 0) RenewAnchor();
  if (attention_ == EventLoop::TimerId::kNone) SetAttention();
  table().SetStay(config_.options.picker == PickerKind::kRoundRobin && core_.stays());
}

void ChannelPool::CreateOverflow(std::shared_ptr<CheckoutQueue> queue) {
  queue->Serve(&table());
  overflow_ = std::make_unique<Overflow>(
      Overflow::Config{config_.target.text, config_.options, &table(), std::move(queue),
                       [this] { return MakeFactories(); }, [this] { return loop_.InLoop(); }});
}

uint32_t ChannelPool::StreamLimit(uint32_t peer_limit) const {
  const auto own = static_cast<uint32_t>(config_.options.streams_per_connection_max);
  if (own == 0 || peer_limit == 0) return std::max(own, peer_limit);
  return std::min(own, peer_limit);
}

InterceptorFactories ChannelPool::MakeFactories() const {
  return MakeInterceptorFactories(config_.interceptors, targets_, callback_owner_);
}

uint32_t ChannelPool::AssumedStreamLimit() const {
  // One that makes RPCs wait, or refuses them, has to be known to be there.
  if (config_.mode.whole_target || config_.options.overflow != OverflowPolicy::kShare) {
    return StreamLimit(0);
  }
  const uint32_t known = core_.stream_limit();
  return StreamLimit(known > 0 ? known : kStreamLimitAssumed);
}

std::shared_ptr<grpc::Channel> ChannelPool::CreateAnchor() const {
  return CreateOrdinaryChannel(config_.target.text, config_.credentials, config_.args,
                               MakeFactories());
}

void ChannelPool::RenewAnchor() {
  Slot* const slot = table().Open(MemberId{}, CreateAnchor(), AssumedStreamLimit());
  table().SetFallback(slot);
  RetireAnchor();
  anchor_slot_ = slot;
  anchor_rpcs_seen_ = 0;
}

void ChannelPool::RetireAnchor() {
  if (anchor_slot_ != nullptr) RetireAnchor(std::exchange(anchor_slot_, nullptr));
}

void ChannelPool::RetireAnchor(Slot* slot) {
  old_anchors_.insert(slot);
  if (table().Close(slot)) OnSlotIdle(slot);
}

void ChannelPool::UpdateSpillover() {
  const SpilloverPlan plan = core_.spillover();
  spillover_->SetRoom(plan.channels, AssumedStreamLimit());
  if (plan.keep) return;
  for (Slot* slot : spillover_->Release()) RetireAnchor(slot);
}

void ChannelPool::ScheduleTick() {
  const Time next = core_.NextTick(loop_.Now());
  if (next == tick_at_) return;
  loop_.Cancel(tick_);
  tick_ = EventLoop::TimerId::kNone;
  tick_at_ = next;
  if (next == Time::max()) return;
  tick_ = loop_.RunAt(next, [this] {
    tick_ = EventLoop::TimerId::kNone;
    tick_at_ = Time::max();
    Tick();
  });
}

void ChannelPool::SetAttention() {
  // At rest, any RPC wakes the loop; under load only one that finds its member too busy, and that
  // only while there is something to do about it.
  uint32_t above = 0;
  if (core_.active()) {
    const bool can_grow =
        static_cast<int>(core_.members().size()) < config_.options.connections_max;
    above = can_grow ? core_.streams_per_member() : UINT32_MAX;
    // One RPC sooner: those that are kept idle are to be made up for.
    if (can_grow && config_.options.connections_idle_min > 0) --above;
  }
  table().SetAttention(above);
}

LoadSample ChannelPool::Sample() {
  LoadSample load;
  for (const auto& [id, member] : members_) {
    if (member.slot == nullptr) continue;
    load.members.push_back({id, member.slot->in_flight(), member.slot->rpcs(),
                            member.slot->succeeded(), member.slot->answered(),
                            member.slot->latency()});
  }
  if (anchor_slot_ != nullptr) {
    const uint64_t rpcs = anchor_slot_->rpcs();
    load.anchor_rpcs = rpcs - std::exchange(anchor_rpcs_seen_, rpcs);
    load.anchor_in_flight = anchor_slot_->in_flight();
  }
  for (const Slot* slot : spillover_->Open()) load.anchor_in_flight += slot->in_flight();
  for (const Slot* old : old_anchors_) {
    // What has its connection asks for no other.
    if (!old->IsConnected()) load.anchor_in_flight += old->in_flight();
  }
  load.waiting = table().waiting();
  load.blocking = table().CountBlocking();
  return load;
}

}  // namespace predial
