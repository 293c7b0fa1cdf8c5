// MemberSetup: everything between the order for a member and its first RPC.
//
//   take a socket --> look for the server's SETTINGS --> wrap --> [prime: one health check] -->
//   done
//
// A managed member is an ordinary channel, and brought to READY instead, which proves as much:
//
//   [take a socket --> look for SETTINGS, if in plaintext -->] wrap --> connect --> [prime] -->
//   done
//
// A server that shows its SETTINGS is known to speak HTTP/2 and is not asked; one that waits for
// the client to speak first is asked by a health check, whose answer, whatever it is, proves the
// connection.
//
// Threads: the loop's thread only.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "plugin/core/types.h"
#include "plugin/io/channel_connect.h"
#include "plugin/io/connection_watch.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/grpc_poller.h"
#include "plugin/io/health_client.h"
#include "plugin/io/preface_wait.h"
#include "plugin/io/socket_adoption.h"
#include "plugin/io/socket_pool.h"

namespace predial {

struct ReadyMember {
  std::shared_ptr<grpc::Channel> channel;
  // Tells when the connection closes, by what on_closed() of the set-up was. Null if gRPC dialed.
  std::unique_ptr<ConnectionWatch> watch;
  uint32_t stream_limit = 0;        // the peer's; 0: none, or not seen
  bool stream_limit_known = false;  // it was seen, or its absence was
  Time dial_began{};
};

class MemberSetup {
 public:
  struct Wrapped {
    std::shared_ptr<grpc::Channel> channel;
    // Has the socket on offer. Null: the channel is not a managed one, or dials.
    std::unique_ptr<SocketAdoption> adoption = nullptr;
  };
  struct Options {
    std::string endpoint;  // for messages
    Duration settings_wait;
    std::string health_service;
    Duration health_timeout;
    // Ask by a health check even if it shows its SETTINGS: a server that hangs may have sent them
    // before.
    bool prime = false;
    // Makes the channel: CreateMemberChannel with the pool's arguments over `socket`, or an
    // ordinary one that has been offered it. Null without a SocketPool: the channel dials.
    std::function<Wrapped(DialedSocket* socket)> wrap;
    // Of a managed member.
    struct Managed {
      bool secure = false;       // not in plaintext
      Duration connect_timeout;  // of the handshake; without a SocketPool, of the dial too
    };
    std::optional<Managed> managed = std::nullopt;
    // May keep the socket for a purpose of its own: another one is then taken. Null: none is kept.
    std::function<bool(DialedSocket& socket)> keep = nullptr;
  };
  using Done = absl::AnyInvocable<void(absl::StatusOr<ReadyMember>)>;

  // `done` is called once, unless the set-up is destroyed before, and may destroy it. A failure is
  // a DialError(). `on_closed` is called when the connection closes after that. `sockets` may be
  // null for a managed member.
  MemberSetup(EventLoop& loop, GrpcPoller& poller, SocketPool* sockets, Options options,
              absl::AnyInvocable<void()> on_closed, Done done);
  // Whether there was a connection: if not, what failed is the dial.
  bool connected() const { return connected_; }

  MemberSetup(const MemberSetup&) = delete;
  MemberSetup& operator=(const MemberSetup&) = delete;

 private:
  void Take();
  void OnTaken(absl::StatusOr<DialedSocket> taken);
  void OnPreface(absl::StatusOr<ServerPreface> preface);
  void Wrap(bool http2);
  void OnClosedEarly();
  void Connect();
  void Prime(bool http2);
  void Succeed();
  void Fail(DialResult result, absl::string_view cause);
  void Finish(absl::StatusOr<ReadyMember> result);

  EventLoop& loop_;
  GrpcPoller& poller_;
  SocketPool* const sockets_;
  const Options options_;
  Done done_;

  bool connected_ = false;

  // One step after the other.
  std::unique_ptr<SocketPool::Checkout> checkout_;
  std::optional<DialedSocket> socket_;
  std::unique_ptr<PrefaceWait> preface_;
  ReadyMember member_;
  std::unique_ptr<SocketAdoption> adoption_;
  bool closed_early_ = false;  // while a managed member's channel was connecting
  std::unique_ptr<ChannelConnect> connect_;
  std::unique_ptr<HealthCheck> prime_;

  // Where ConnectionWatch reports to: first to this set-up, then to on_closed.
  struct Closed {
    MemberSetup* setup;
    absl::AnyInvocable<void()> on_closed;
  };
  const std::shared_ptr<Closed> closed_;
};

}  // namespace predial
