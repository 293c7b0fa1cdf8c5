// SocketAdoption: has an ordinary gRPC channel, of any credentials, use a socket that Predial has
// dialed. One per channel.
//
// gRPC makes a socket, shows it to the channel's socket mutator, and then calls connect() on it.
// Ours puts the offered socket in its place (dup3), and connect() succeeds at once: on a TCP socket
// that was connected without blocking Linux answers the first further connect() with success. All
// that follows (TLS, HTTP/2, retries) is gRPC's own. With nothing offered, gRPC dials by itself.
//
//   non-blocking connect() -> EINPROGRESS, poll() -> Offer() -> gRPC's connect() -> 0
//
// What cannot be adopted, since connect() would say EISCONN and gRPC would back off: a socket whose
// connect() blocked, or was called again to learn how it went; any unix or vsock socket. Multipath
// TCP can. The socket arrives as it was offered: gRPC set TCP_NODELAY, TCP_USER_TIMEOUT and
// SO_REUSEADDR on the one that is gone, and the options for reading (TCP_INQ) come later.
//
// Threads:   thread-safe, lock-free.
// Ownership: outlived by the channel, if need be.
// Forks:     a child must not use what its parent made; see ForkGuard.
#pragma once

#include <grpcpp/support/channel_arguments.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "plugin/io/unique_fd.h"

namespace predial {

// How the connections of some channels came to be. Both only grow.
struct AdoptionCounters {
  std::atomic<int64_t> adopted{0};
  std::atomic<int64_t> dialed{0};  // by gRPC: begun, whatever became of them
};

class SocketAdoption {
 public:
  // Whether the linked gRPC does as described: OK, or why not (and then every channel dials by
  // itself). The first call in a process tries it with a channel over loopback, and takes a few
  // milliseconds, one second at most; the others have its result.
  static absl::Status Available();

  // Whether sockets that are made like this one can be adopted; else the reason. Spends the socket,
  // which must be connected: there is no telling without calling connect(). For sockets of a dialer
  // that is not ours.
  static absl::Status TryLike(UniqueFd socket);

  // `counters` are shared by the channels that are counted together.
  explicit SocketAdoption(std::shared_ptr<AdoptionCounters> counters);
  ~SocketAdoption();
  SocketAdoption(const SocketAdoption&) = delete;

  // To be called for the arguments of the channel. Also switches HTTP proxies off for it: gRPC
  // would say CONNECT on a socket that is not the proxy's. False, and `args` is left as it was, if
  // it has a socket mutator of the user's (who then has the last word), or Available() is not OK.
  bool AddTo(grpc::ChannelArguments& args);

  // The socket for the channel's next connection: a connected one, in place of the one offered
  // before, if that is still here. When gRPC comes for it and it is no longer connected, or cannot
  // be adopted by the looks of it, it is closed and gRPC dials.
  void Offer(UniqueFd socket);

  // Takes the offered socket back. Invalid if none is here: gRPC has come for it.
  UniqueFd Withdraw();

  // Whether Available() says that the self-test failed, from now on.
  static void FailSelfTestForTesting(bool fail);

 private:
  struct Slot;
  struct Mutator;

  const std::shared_ptr<Slot> slot_;
};

}  // namespace predial
