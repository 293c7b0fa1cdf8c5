// SocketPool: raw connections to one server, dialed before they are needed. Knows nothing of gRPC;
// usable on its own for other protocols.
//
// Keeps a number of spares: connected sockets on which nothing has been sent. A spare lives for a
// short time only, because servers hang up on silence, and is dropped when its peer does. A spare
// may be readable: in HTTP/2 the server speaks first.
//
// Threads:   the loop's thread only; callbacks run there, never from within a call.
// Ownership: sockets in the pool are the pool's; one that was checked out is the caller's.
// Errors:    a failed checkout has the dialer's status. Spares that cannot be dialed, or hang up
//            at once, are tried again with backoff, and never fail a checkout.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "plugin/core/backoff.h"
#include "plugin/core/types.h"
#include "plugin/io/dialer.h"
#include "plugin/io/event_loop.h"

namespace predial {

struct SocketPoolOptions {
  // Of one server: see Dialer::Dial. Never empty.
  std::vector<Address> addresses;
  std::shared_ptr<Dialer> dialer;
  // How long a spare may wait. After it the spare is replaced.
  Duration spare_lifetime = std::chrono::seconds(20);
  BackoffPolicy backoff;
  // Called with every dial's outcome and duration; may be empty.
  std::function<void(const absl::Status&, Duration)> on_dialed;
};

class SocketPool {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<DialedSocket>)>;

  // A checkout under way. Destroying it cancels: `done` is then never called.
  class Checkout {
   public:
    virtual ~Checkout() = default;
  };

  SocketPool(EventLoop& loop, SocketPoolOptions options);
  // Closes all spares and cancels all dials. Checkouts must have been destroyed before.
  ~SocketPool();
  SocketPool(const SocketPool&) = delete;
  SocketPool& operator=(const SocketPool&) = delete;

  // How many spares to keep. Falling numbers close the oldest ones.
  void SetSpares(int count);
  int spares() const { return static_cast<int>(spares_.size()); }

  // A spare that is alive, or else a newly dialed socket. `done` is called once.
  std::unique_ptr<Checkout> Take(Done done);

 private:
  struct Spare {
    DialedSocket socket;
    Time since;
    EventLoop::WatchId watch = EventLoop::WatchId::kNone;
    EventLoop::TimerId expiry = EventLoop::TimerId::kNone;
  };
  using Spares = std::list<Spare>;
  class TakeDial;
  class TakeSpare;

  void Fill();
  void FillLater();  // with backoff
  void OnSpareDialed(absl::StatusOr<DialedSocket> dialed);
  void Park(DialedSocket socket);
  void OnSpareHungUp(Spares::iterator spare);
  // Takes a spare out of the pool, with what watches over it.
  DialedSocket Remove(Spares::iterator spare);
  std::unique_ptr<PendingDial> Dial(Done done);

  EventLoop& loop_;
  const SocketPoolOptions options_;
  int wanted_ = 0;
  Spares spares_;                            // the oldest first
  std::unique_ptr<PendingDial> spare_dial_;  // one at a time
  EventLoop::TimerId retry_ = EventLoop::TimerId::kNone;
  int failures_ = 0;  // spares in a row that could not be dialed, or hung up at once
};

}  // namespace predial
