#include "plugin/io/socket_pool.h"

#include <sys/epoll.h>

#include <utility>

#include "plugin/io/connection_watch.h"

namespace predial {
class SocketPool::TakeDial : public Checkout {
 public:
  TakeDial(SocketPool& pool, Done done) {
    dial_ = pool.Dial([&pool, done = std::move(done)](absl::StatusOr<DialedSocket> dialed) mutable {
      if (dialed.ok()) pool.failures_ = 0;
      done(std::move(dialed));
    });
  }

 private:
  std::unique_ptr<PendingDial> dial_;
};

class SocketPool::TakeSpare : public Checkout {
 public:
  TakeSpare(EventLoop& loop, DialedSocket socket, Done done)
      : loop_(loop), socket_(std::move(socket)), done_(std::move(done)) {
    timer_ = loop_.RunAt(loop_.Now(), [this] {
      auto done = std::move(done_);
      done(std::move(socket_));  // may destroy this
    });
  }
  ~TakeSpare() override { loop_.Cancel(timer_); }

 private:
  EventLoop& loop_;
  DialedSocket socket_;
  Done done_;
  EventLoop::TimerId timer_;
};

SocketPool::SocketPool(EventLoop& loop, SocketPoolOptions options)
    : loop_(loop), options_(std::move(options)) {}

SocketPool::~SocketPool() {
  spare_dial_.reset();
  loop_.Cancel(retry_);
  while (!spares_.empty()) Remove(spares_.begin());
}

void SocketPool::SetSpares(int count) {
  wanted_ = count;
  while (spares() > wanted_) Remove(spares_.begin());
  if (wanted_ == 0) {
    spare_dial_.reset();
    loop_.Cancel(std::exchange(retry_, EventLoop::TimerId::kNone));
  }
  Fill();
}

std::unique_ptr<SocketPool::Checkout> SocketPool::Take(Done done) {
  while (!spares_.empty()) {
    // The youngest: it is the likeliest to be alive.
    const auto youngest = std::prev(spares_.end());
    if (HasHungUp(youngest->socket.fd)) {
      OnSpareHungUp(youngest);
      continue;
    }
    DialedSocket socket = Remove(youngest);
    failures_ = 0;
    Fill();
    return std::make_unique<TakeSpare>(loop_, std::move(socket), std::move(done));
  }
  return std::make_unique<TakeDial>(*this, std::move(done));
}

std::unique_ptr<PendingDial> SocketPool::Dial(Done done) {
  const Time began = loop_.Now();
  return options_.dialer->Dial(
      loop_, options_.addresses,
      [this, began, done = std::move(done)](absl::StatusOr<DialedSocket> dialed) mutable {
        if (options_.on_dialed) options_.on_dialed(dialed.status(), loop_.Now() - began);
        if (dialed.ok()) dialed->dial_began = began;
        done(std::move(dialed));
      });
}

void SocketPool::Fill() {
  if (spare_dial_ != nullptr || retry_ != EventLoop::TimerId::kNone || spares() >= wanted_) return;
  spare_dial_ =
      Dial([this](absl::StatusOr<DialedSocket> dialed) { OnSpareDialed(std::move(dialed)); });
}

void SocketPool::OnSpareDialed(absl::StatusOr<DialedSocket> dialed) {
  spare_dial_.reset();
  if (dialed.ok()) {
    Park(*std::move(dialed));
    Fill();
    return;
  }
  FillLater();
}

void SocketPool::FillLater() {
  // Without jitter: this dial follows the members', whose backoff has it.
  const Duration delay = BackoffDelay(options_.backoff, ++failures_, 0.5);
  if (retry_ != EventLoop::TimerId::kNone) return;
  retry_ = loop_.RunAt(loop_.Now() + delay, [this] {
    retry_ = EventLoop::TimerId::kNone;
    Fill();
  });
}

void SocketPool::Park(DialedSocket socket) {
  if (spares() >= wanted_) return;  // no longer wanted: closed
  const int fd = socket.fd.get();
  const auto spare = spares_.insert(spares_.end(), Spare{std::move(socket), loop_.Now()});
  spare->expiry = loop_.RunAt(spare->since + options_.spare_lifetime, [this, spare] {
    Remove(spare);
    failures_ = 0;
    Fill();
  });
  auto watch = loop_.Watch(fd, EPOLLRDHUP, [this, spare](uint32_t) { OnSpareHungUp(spare); });
  // Without a watch a spare that dies is found at the checkout.
  if (watch.ok()) spare->watch = *watch;
}

void SocketPool::OnSpareHungUp(Spares::iterator spare) {
  const bool soon = loop_.Now() - spare->since < options_.backoff.initial;
  Remove(spare);
  // A server, or a balancer without any, may accept and hang up for as long as one dials.
  if (soon) return FillLater();
  failures_ = 0;
  Fill();
}

DialedSocket SocketPool::Remove(Spares::iterator spare) {
  loop_.Unwatch(spare->watch);
  loop_.Cancel(spare->expiry);
  DialedSocket socket = std::move(spare->socket);
  spares_.erase(spare);
  return socket;
}

}  // namespace predial
