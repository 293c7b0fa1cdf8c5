// Dialer: makes connected sockets. Derive from it to dial through a proxy, over vsock, or from a
// descriptor that somebody else opened; give it in PoolOptions::dialer.
//
// Threads:   Dial() and the destruction of a Dial are called on the loop's thread, and `done` must
//            be called there.
// Ownership: the socket in `done` belongs to the callee from then on.
// Errors:    operating errors are statuses that name the address and the cause; see DialError().
#pragma once

#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/unique_fd.h"

namespace predial {

// One connected, non-blocking, close-on-exec stream socket. For a pool in managed mode a TCP
// socket, and connected by a single connect() that did not block and whose end was polled for:
// others cannot be adopted (socket_adoption.h), and gRPC dials instead.
struct DialedSocket {
  UniqueFd fd;
  Address peer;
  Time dial_began{};  // the SocketPool sets it
};

// A dial under way. Destroying it cancels: `done` is then never called, and nothing leaks.
class PendingDial {
 public:
  virtual ~PendingDial() = default;
};

class Dialer {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<DialedSocket>)>;

  virtual ~Dialer() = default;

  // Connects to one of `addresses`, which name the same server (a dual-stack host has two); the
  // first that answers wins. `done` is called exactly once, never from within Dial() itself, and
  // may destroy the returned handle; it is not called if the handle is destroyed before.
  virtual std::unique_ptr<PendingDial> Dial(EventLoop& loop, const std::vector<Address>& addresses,
                                            Done done) = 0;
};

// A failed dial as a status: the code follows from `result` (UNAVAILABLE, DEADLINE_EXCEEDED for
// kTimeout, RESOURCE_EXHAUSTED for kLocalLimit), and DialResultOf() reads `result` back.
absl::Status DialError(DialResult result, absl::string_view message);
// kOk for an OK status; kError for a status that DialError() did not make.
DialResult DialResultOf(const absl::Status& status);

}  // namespace predial
