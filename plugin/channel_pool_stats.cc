// The pool's numbers.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "plugin/backend_stats.h"
#include "plugin/channel_pool.h"

namespace predial {
namespace {

const char* Name(grpc_connectivity_state state) {
  switch (state) {
    case GRPC_CHANNEL_IDLE:
      return "IDLE";
    case GRPC_CHANNEL_CONNECTING:
      return "CONNECTING";
    case GRPC_CHANNEL_READY:
      return "READY";
    case GRPC_CHANNEL_TRANSIENT_FAILURE:
      return "TRANSIENT_FAILURE";
    case GRPC_CHANNEL_SHUTDOWN:
      break;
  }
  return "SHUTDOWN";
}

}  // namespace

PoolStats ChannelPool::Stats() {
  PoolStats stats;
  if (IsForked()) {
    stats.target = config_.target.text;
    stats.state = Name(GRPC_CHANNEL_SHUTDOWN);
    stats.last_error = "the pool was made before fork(), and belongs to the parent process";
    return stats;
  }
  RunInLoop([&] { stats = MakeStats(); });
  return stats;
}

void ChannelPool::AddLifetimes(PoolStats& stats) const {
  for (const auto& [id, endpoint] : core_.endpoints()) {
    if (const auto age = endpoint.lifetime.age_limit()) {
      const double seconds = std::chrono::duration<double>(*age).count();
      double& least = stats.proven_lifetime_seconds;
      least = least == 0 ? seconds : std::min(least, seconds);
    }
    if (const auto rpcs = endpoint.lifetime.rpcs_limit()) {
      uint64_t& least = stats.proven_lifetime_rpcs;
      least = least == 0 ? *rpcs : std::min(least, *rpcs);
    }
  }
}

void ChannelPool::AddDecisions(PoolStats& stats) const {
  const absl::Time now = absl::Now();
  const Time loop_now = loop_.Now();
  for (const Decision& decision : core_.log().decisions()) {
    stats.decisions.push_back({now - absl::FromChrono(loop_now - decision.when), decision.what,
                               NameOf(decision.endpoint), static_cast<uint64_t>(decision.member),
                               decision.reason});
  }
}

void ChannelPool::AddBackends(PoolStats& stats) const {
  std::map<std::string, int> connections;
  for (const auto& [id, member] : core_.members()) {
    const bool up =
        member.state() == MemberState::kReady || member.state() == MemberState::kEjected;
    if (up && !member.backend.empty()) ++connections[member.backend];
  }
  stats.backends = MakeBackendStats(connections);
}

PoolStats ChannelPool::MakeStats() {
  PoolStats stats = counts_;
  stats.target = config_.target.text;
  stats.mode = config_.mode.name();
  stats.mode_reason = config_.mode.reason;
  stats.warnings = config_.warnings;
  stats.warnings.insert(stats.warnings.end(), warnings_.begin(), warnings_.end());
  if (config_.mode.managed) {
    stats.adoption = adoption_.ok() ? "ok" : std::string(adoption_.message());
    stats.sockets_adopted = adoptions_->adopted.load();
    stats.dials_by_grpc += adoptions_->dialed.load();
  }
  stats.state = Name(connectivity_.Get());
  stats.connections_min = config_.options.connections_min;
  stats.connections_max = config_.options.connections_max;
  stats.connections_wanted = core_.wanted();
  stats.connections_wanted_reason = core_.size_reason();
  stats.panic = core_.panic();
  stats.ejections = core_.ejections();
  stats.rotations = core_.rotations();
  stats.rpcs_retried = targets_->retries->retried();
  stats.rpcs_lost = targets_->retries->lost();
  AddLifetimes(stats);
  AddDecisions(stats);
  AddBackends(stats);
  stats.readmissions = core_.readmissions();
  if (overflow_ != nullptr) {
    stats.checkout_waiters = targets_->table->waiting();
    stats.checkout_waits = overflow_->queue().waits();
    stats.checkout_wait_nanos = overflow_->queue().wait_time().count();
    stats.checkouts_rejected = overflow_->rejections();
  }
  if (anchor_slot_ != nullptr) stats.checkouts_anchor += anchor_slot_->rpcs();
  for (const Slot* slot : spillover_->Open()) stats.checkouts_anchor += slot->rpcs();
  for (const Slot* old : old_anchors_) stats.checkouts_anchor += old->rpcs();

  std::map<EndpointId, EndpointStats> endpoints;
  for (const auto& [id, connections] : endpoints_) {
    EndpointStats& endpoint = endpoints[id];
    endpoint.address = connections.resolved.Key();
    if (connections.sockets != nullptr) endpoint.spares = connections.sockets->spares();
    endpoint.last_error = connections.last_error;
    endpoint.rpcs = connections.retired_rpcs;
    if (auto known = core_.endpoints().find(id); known != core_.endpoints().end()) {
      endpoint.serving = known->second.serving;
      endpoint.failed_dials = known->second.failures;
    }
  }
  const auto count = [&](const Slot& slot, EndpointId endpoint) {
    const int64_t rpcs = slot.rpcs();
    stats.leases += slot.in_flight();
    stats.rpcs_measured += slot.answered();
    stats.rpcs_measured_nanos += slot.latency().count();
    stats.checkouts_new += rpcs > 0 ? 1 : 0;
    stats.checkouts_reused += rpcs > 0 ? rpcs - 1 : 0;
    if (auto found = endpoints.find(endpoint); found != endpoints.end()) {
      found->second.rpcs += rpcs;
    }
  };
  for (const auto& [slot, endpoint] : lingering_) count(*slot, endpoint);
  for (const auto& [id, member] : core_.members()) {
    EndpointStats& endpoint = endpoints[member.endpoint];
    // Asked from within an observer's callback, an order to connect may not have been carried out
    // yet.
    const auto found = members_.find(id);
    if (found != members_.end() && found->second.slot != nullptr) {
      count(*found->second.slot, member.endpoint);
    }
    switch (member.state()) {
      case MemberState::kConnecting:
        ++endpoint.connecting;
        break;
      case MemberState::kReady:
        ++endpoint.ready;
        if (member.stream_limit > 0 && (stats.peer_max_concurrent_streams == 0 ||
                                        member.stream_limit < stats.peer_max_concurrent_streams)) {
          stats.peer_max_concurrent_streams = member.stream_limit;
        }
        break;
      case MemberState::kEjected:
        ++endpoint.ejected;
        break;
      case MemberState::kDraining:
        ++endpoint.draining;
        break;
      case MemberState::kClosed:
        break;
    }
  }
  int ready = 0;
  for (auto& [id, endpoint] : endpoints) {
    ready += endpoint.ready;
    stats.endpoints.push_back(std::move(endpoint));
  }
  if (ready < stats.connections_wanted) stats.last_error = MissingReason();
  return stats;
}

}  // namespace predial
