// What becomes of members: set up, closed, going away, worn, failing, silent.
#include <grpc/support/log.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/channel_pool.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/dialer.h"
#include "plugin/io/tcp_silence.h"
#include "plugin/mode.h"

namespace predial {
namespace {

ConnectionEnd EndOf(const Slot& slot, bool without_a_word) {
  return {slot.proved(), slot.rpcs(), slot.in_flight(), without_a_word};
}

}  // namespace

void ChannelPool::Do(const Connect& order) {
  const EndpointConnections& endpoint = endpoints_.at(order.endpoint);
  const MemberId id = order.member;
  MemberConnection& member = members_[id];
  member.endpoint = order.endpoint;
  member.connecting_since = loop_.Now();
  MemberSetup::Options setup;
  setup.endpoint = endpoint.resolved.Key();
  setup.settings_wait = absl::ToChronoNanoseconds(config_.options.settings_wait);
  setup.health_service = config_.options.health.service;
  setup.prime = order.prime;
  setup.health_timeout = absl::ToChronoNanoseconds(config_.options.health.timeout);
  if (config_.mode.managed) {
    setup.managed = {config_.mode.secure,
                     absl::ToChronoNanoseconds(config_.options.socket.connect_timeout)};
    setup.wrap = [this, resolved = endpoint.resolved](DialedSocket* socket) {
      return CreateManagedMember(resolved, socket);
    };
    setup.keep = [this](DialedSocket& socket) { return SpendOnTrial(socket); };
  } else {
    setup.wrap = [this](DialedSocket* socket) {
      return MemberSetup::Wrapped{
          CreateMemberChannel(std::move(socket->fd), member_args_, MakeFactories())};
    };
  }
  // Without adoption there is no use for a socket, even if there is where to take it from.
  const bool dials = config_.mode.managed && !adoption_.ok();
  member.grpc_dials = dials || endpoint.sockets == nullptr;
  member.setup = std::make_unique<MemberSetup>(
      loop_, runtime_->poller(), member.grpc_dials ? nullptr : endpoint.sockets.get(),
      std::move(setup), [this, id] { OnPeerClosed(id); },
      [this, id](absl::StatusOr<ReadyMember> ready) { OnSetUp(id, std::move(ready)); });
}

bool ChannelPool::MayAdopt(const ResolvedEndpoint& endpoint) const {
  return adoption_.ok() && !endpoint.addresses.empty() &&
         std::all_of(endpoint.addresses.begin(), endpoint.addresses.end(),
                     [](const Address& address) {
                       return address.family() == AF_INET || address.family() == AF_INET6;
                     });
}

bool ChannelPool::SpendOnTrial(DialedSocket& socket) {
  if (config_.options.dialer == nullptr || std::exchange(dialer_tried_, true)) return false;
  adoption_ = SocketAdoption::TryLike(std::move(socket.fd));
  if (adoption_.ok()) return true;
  warnings_.push_back(
      AdoptionWarning(config_.target.text,
                      absl::StrCat("of PoolOptions::dialer's sockets: ", adoption_.message())));
  for (auto& [id, endpoint] : endpoints_) {
    if (endpoint.sockets != nullptr) endpoint.sockets->SetSpares(0);
  }
  return true;
}

MemberSetup::Wrapped ChannelPool::CreateManagedMember(const ResolvedEndpoint& endpoint,
                                                      DialedSocket* socket) {
  grpc::ChannelArguments args = member_args_;
  std::unique_ptr<SocketAdoption> adoption;
  std::string grpc_target = endpoint.GrpcTarget();
  if (socket != nullptr && adoption_.ok()) {
    adoption = std::make_unique<SocketAdoption>(adoptions_);
    if (adoption->AddTo(args)) {
      grpc_target = socket->peer.ToGrpcTarget();
      adoption->Offer(std::move(socket->fd));
    } else {
      adoption.reset();
    }
  }
  return {CreateOrdinaryChannel(grpc_target, config_.credentials, args, MakeFactories()),
          std::move(adoption)};
}

void ChannelPool::OnSetUp(MemberId id, absl::StatusOr<ReadyMember> ready) {
  MemberConnection& member = members_.at(id);
  const bool connected = member.setup->connected();
  member.setup.reset();
  EndpointConnections& endpoint = endpoints_.at(member.endpoint);
  CountDial(member, connected, ready);
  if (!ready.ok()) {
    // A dial that failed is counted as one.
    if (connected) CountClosed(member.endpoint, CloseReason::kSetupFailed);
    endpoint.last_error = std::string(ready.status().message());
    gpr_log(GPR_INFO, "predial: %s: %s", config_.target.text.c_str(), endpoint.last_error.c_str());
    return Carry(core_.OnConnectFailed(loop_.Now(), id, DialResultOf(ready.status())));
  }
  endpoint.last_error.clear();
  member.watch = std::move(ready->watch);
  if (config_.mode.managed) {
    // What a watch on the socket does not tell is a GOAWAY.
    const bool without_a_word = member.watch == nullptr;
    member.state = std::make_unique<StateWatch>(loop_, ready->channel, [this, id, without_a_word] {
      members_.at(id).state.reset();
      OnGoingAway(id, without_a_word);
    });
  }
  const bool unknown = config_.mode.managed && !ready->stream_limit_known;
  const uint32_t limit = unknown ? AssumedStreamLimit() : StreamLimit(ready->stream_limit);
  member.slot = table().Open(id, std::move(ready->channel), limit,
                             {member.watch == nullptr ? nullptr : member.watch->socket(),
                              member.endpoint, ready->dial_began, config_.mode.managed});
  if (events() != nullptr) events()->OnConnectionReady(NameOf(member.endpoint));
  Carry(core_.OnReady(loop_.Now(), id, ready->stream_limit, unknown ? kStreamLimitAssumed : 0));
}

void ChannelPool::CountDial(const MemberConnection& member, bool connected,
                            const absl::StatusOr<ReadyMember>& ready) {
  const bool handshake = DialResultOf(ready.status()) == DialResult::kHandshake;
  if (member.grpc_dials) ++counts_.dials_by_grpc;
  if (!handshake && !member.grpc_dials) return;
  OnDialed(member.endpoint, connected && !handshake ? absl::OkStatus() : ready.status(),
           loop_.Now() - member.connecting_since);
}

void ChannelPool::OnPeerClosed(MemberId id) {
  const MemberConnection& member = members_.at(id);
  EndpointConnections& endpoint = endpoints_.at(member.endpoint);
  endpoint.last_error = absl::StrCat(endpoint.resolved.Key(), ": the connection was closed");
  Carry(core_.OnPeerClosed(loop_.Now(), id, EndOf(*member.slot, /*without_a_word=*/true)));
}

void ChannelPool::OnGoingAway(MemberId id, bool without_a_word) {
  // It may be gone since this was signalled.
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  const MemberConnection& member = found->second;
  EndpointConnections& endpoint = endpoints_.at(member.endpoint);
  endpoint.last_error = absl::StrCat(endpoint.resolved.Key(), ": the connection was closed");
  Carry(core_.OnGoingAway(loop_.Now(), id, EndOf(*member.slot, without_a_word)));
}

void ChannelPool::OnWorn(MemberId id) { Carry(core_.OnWorn(loop_.Now(), id)); }

void ChannelPool::OnFailing(MemberId id, FailureStreak streak) {
  Carry(core_.OnFailing(loop_.Now(), id, streak));
}

void ChannelPool::OnUnanswered(MemberId id) {
  const auto found = members_.find(id);
  if (found == members_.end()) return;
  // What one RPC found may be true of all connections to that server.
  std::vector<Silence> silences;
  for (const auto& [other, member] : members_) {
    if (member.endpoint != found->second.endpoint || member.slot == nullptr) continue;
    if (other != id && member.slot->in_flight() == 0) continue;
    if (member.watch == nullptr) {
      silences.push_back({other, Duration::zero(), /*stalled=*/false, /*unseen=*/true});
    } else {
      const TcpSilence silence = ReadTcpSilence(*member.watch->socket());
      silences.push_back({other, silence.since_received, silence.stalled});
    }
    table().Unsuspect(member.slot);
  }
  Carry(core_.OnUnanswered(loop_.Now(), silences));
}

}  // namespace predial
