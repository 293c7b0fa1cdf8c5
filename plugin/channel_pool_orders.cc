// What the core orders.
#include <grpc/support/log.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugin/channel_pool.h"
#include "plugin/io/channel_factory.h"

namespace predial {
namespace {

// gRPC has mostly ended the RPCs by then.
constexpr Duration kLingeringWakeMin = std::chrono::milliseconds(5);
constexpr Duration kLingeringWakeMax = std::chrono::seconds(1);

// Deadline of the check of a member on which RPCs miss theirs: the sooner it is known, the sooner
// others take its place.
constexpr absl::Duration kQuickCheck = absl::Milliseconds(300);

grpc_connectivity_state ToGrpc(PoolState state) {
  switch (state) {
    case PoolState::kConnecting:
      return GRPC_CHANNEL_CONNECTING;
    case PoolState::kReady:
      return GRPC_CHANNEL_READY;
    case PoolState::kTransientFailure:
      return GRPC_CHANNEL_TRANSIENT_FAILURE;
    case PoolState::kSuspended:
      return GRPC_CHANNEL_IDLE;
    case PoolState::kShutdown:
      break;
  }
  return GRPC_CHANNEL_SHUTDOWN;
}

}  // namespace

void ChannelPool::Carry(const Actions& actions) {
  for (const Action& action : actions) {
    std::visit([this](const auto& order) { Do(order); }, action);
  }
  UpdateSpillover();
  ScheduleTick();
}

void ChannelPool::Do(const AddEndpoint& order) {
  const auto resolved =
      std::find_if(resolved_.begin(), resolved_.end(),
                   [&](const ResolvedEndpoint& endpoint) { return endpoint.Key() == order.key; });
  const EndpointId id = order.endpoint;
  EndpointConnections& endpoint = endpoints_[id];
  endpoint.resolved = *resolved;

  if (!config_.mode.managed || MayAdopt(*resolved)) {
    const PoolOptions& options = config_.options;
    SocketPoolOptions sockets;
    sockets.addresses = resolved->addresses;
    sockets.dialer = dialer_;
    sockets.spare_lifetime = absl::ToChronoNanoseconds(options.spare_lifetime);
    sockets.backoff = core_.policy().backoff;
    sockets.on_dialed = [this, id](const absl::Status& status, Duration took) {
      OnDialed(id, status, took);
    };
    endpoint.sockets = std::make_unique<SocketPool>(loop_, std::move(sockets));
  }
  StartAnchor(id);
}

void ChannelPool::StartAnchor(EndpointId id) {
  const HealthOptions& health = config_.options.health;
  // A health service of several servers is none of a member's.
  if (!health.enabled || suspended_ || config_.mode.whole_target) return;
  EndpointConnections& endpoint = endpoints_.at(id);
  const auto channel =
      CreateOrdinaryChannel(endpoint.resolved.GrpcTarget(), config_.credentials, member_args_, {});
  endpoint.anchor =
      std::make_unique<Anchor>(loop_, runtime_->poller(), channel, health.service,
                               core_.policy().backoff, [this, id](HealthResult result) {
                                 OnHealth(id, result);
                                 Carry(core_.OnWatched(loop_.Now(), id, result));
                               });
  if (!config_.options.proven_lifetime) return;
  endpoint.scout = std::make_unique<Scout>(
      loop_, channel,
      Scout::Reports{[this, id] { Carry(core_.OnScoutUp(loop_.Now(), id)); },
                     [this, id](Duration age) {
                       // Its watch may live on, on a connection that takes no more RPCs.
                       endpoints_.at(id).anchor->Renew();
                       Carry(core_.OnScoutDown(loop_.Now(), id, age));
                     }});
}

void ChannelPool::Do(const RetireEndpoint& order) {
  EndpointConnections& endpoint = endpoints_.at(order.endpoint);
  endpoint.scout.reset();
  endpoint.anchor.reset();
  if (endpoint.sockets != nullptr) endpoint.sockets->SetSpares(0);
}

void ChannelPool::Do(const RemoveEndpoint& order) { endpoints_.erase(order.endpoint); }

void ChannelPool::Do(const Drain& order) {
  MemberConnection& member = members_.at(order.member);
  member.draining = true;
  Slot* slot = member.slot;
  if (!table().Close(slot)) {  // the last lease will signal
    if (config_.mode.managed) WakeLingeringAfter(kLingeringWakeMin);
    return;
  }
  // Not at once: the core is in the middle of its orders.
  loop_.Post([self = shared_from_this(), slot] { self->OnSlotIdle(slot); });
}

void ChannelPool::Do(const Close& order) {
  auto found = members_.find(order.member);
  const EndpointId endpoint = found->second.endpoint;
  Slot* const slot = found->second.slot;
  members_.erase(found);
  if (slot != nullptr) {
    CountClosed(endpoint, order.reason);
    table().Close(slot);
    lingering_.emplace(slot, endpoint);
    WakeLingeringAfter(kLingeringWakeMin);
    loop_.Post([self = shared_from_this(), slot] { self->OnSlotIdle(slot); });
  }
}

void ChannelPool::WakeLingeringAfter(Duration wait) {
  const Time at = loop_.Now() + wait;
  if (wake_lingering_ != EventLoop::TimerId::kNone && wake_lingering_at_ <= at) return;
  loop_.Cancel(wake_lingering_);
  wake_lingering_at_ = at;
  wake_lingering_ = loop_.RunAt(at, [this, wait] {
    wake_lingering_ = EventLoop::TimerId::kNone;
    for (const auto& [slot, endpoint] : lingering_) {
      if (slot->socket() != nullptr) WakeIfEnded(*slot->socket());
    }
    const bool waiting = WakeLeftChannels();
    if (!lingering_.empty() || waiting) WakeLingeringAfter(std::min(2 * wait, kLingeringWakeMax));
  });
}

bool ChannelPool::WakeLeftChannels() {
  if (!config_.mode.managed) return false;
  std::vector<Slot*> left;
  for (const auto& [slot, endpoint] : lingering_) left.push_back(slot);
  for (const auto& [id, member] : members_) {
    if (member.draining) left.push_back(member.slot);
  }
  for (Slot* slot : left) {
    if (core_.state() != PoolState::kReady || slot->in_flight() == 0) continue;
    grpc::experimental::ChannelResetConnectionBackoff(slot->channel().get());
  }
  return !left.empty();
}

void ChannelPool::Do(const Check& order) {
  MemberConnection& member = members_.at(order.member);
  const absl::Duration timeout = config_.options.health.timeout;
  member.check = HealthCheck::Start(
      loop_, runtime_->poller(), member.slot->channel(), config_.options.health.service,
      absl::ToChronoNanoseconds(order.quick ? std::min(timeout, kQuickCheck) : timeout),
      [this, id = order.member](HealthResult result) {
        MemberConnection& member = members_.at(id);
        member.check.reset();
        OnHealth(member.endpoint, result);
        Carry(core_.OnChecked(loop_.Now(), id, result));
      });
}

void ChannelPool::Do(const Cut& order) {
  // A connection that gRPC dialed is out of reach: what is on it runs on.
  ConnectionWatch* const watch = members_.at(order.member).watch.get();
  if (watch != nullptr) watch->ForceClose();
}

void ChannelPool::Do(const LimitRpcs& order) {
  table().LimitRpcs(members_.at(order.member).slot, order.worn_at, order.max);
}

void ChannelPool::Do(const SetSpares& order) {
  SocketPool* const sockets = endpoints_.at(order.endpoint).sockets.get();
  if (sockets == nullptr) return;
  sockets->SetSpares(config_.mode.managed && !adoption_.ok() ? 0 : order.count);
}

void ChannelPool::Do(const WakeAnchor& order) {
  EndpointConnections& endpoint = endpoints_.at(order.endpoint);
  if (endpoint.anchor != nullptr) endpoint.anchor->Wake();
  Do(WakeTargetAnchor());
}

void ChannelPool::Do(const WakeTargetAnchor&) {
  WakeLeftChannels();
  // RPCs may be waiting on anchors of earlier outages, too.
  std::vector<Slot*> others = spillover_->Open();
  others.insert(others.end(), old_anchors_.begin(), old_anchors_.end());
  for (const Slot* old : others) {
    grpc::experimental::ChannelResetConnectionBackoff(old->channel().get());
  }
  if (anchor_slot_ != nullptr) {
    grpc::experimental::ChannelResetConnectionBackoff(anchor_slot_->channel().get());
  }
}

void ChannelPool::Do(const ResolveNow&) {
  if (resolver_ != nullptr) resolver_->ResolveNow();
}

void ChannelPool::Do(const Publish& order) {
  std::vector<Slot*> slots;
  for (MemberId member : order.members) slots.push_back(members_.at(member).slot);
  table().Publish(slots);
}

void ChannelPool::Do(const SetState& order) {
  if (order.state == PoolState::kTransientFailure) {
    gpr_log(GPR_INFO, "predial: %s: no ready connection: %s", config_.target.text.c_str(),
            MissingReason().c_str());
  }
  connectivity_.Set(ToGrpc(order.state));
  if (order.state == PoolState::kReady) WakeLeftChannels();
  // It has just been through an outage: see Tick().
  if (order.state == PoolState::kReady && anchor_slot_->rpcs() > 0) RenewAnchor();
}

void ChannelPool::Retire(Slot* slot, EndpointId endpoint) {
  const int64_t rpcs = slot->rpcs();
  counts_.checkouts_new += rpcs > 0 ? 1 : 0;
  counts_.checkouts_reused += rpcs > 0 ? rpcs - 1 : 0;
  if (auto found = endpoints_.find(endpoint); found != endpoints_.end()) {
    found->second.retired_rpcs += rpcs;
  }
}

std::string ChannelPool::NameOf(EndpointId endpoint) const {
  auto found = endpoints_.find(endpoint);
  return found == endpoints_.end() ? "" : found->second.resolved.Key();
}

std::string ChannelPool::MissingReason() const {
  std::vector<std::string> causes;
  if (!resolve_error_.empty()) causes.push_back(resolve_error_);
  for (const auto& [id, endpoint] : endpoints_) {
    if (!endpoint.last_error.empty()) causes.push_back(endpoint.last_error);
  }
  return absl::StrJoin(causes, "; ");
}

}  // namespace predial
