#include "benchmarks/compare/relayed_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace predial {
namespace {

// Reading less than this at a time, while the link is busy, costs more than it is worth.
constexpr int64_t kRoomMin = 8 << 10;

}  // namespace

RelayedConnection::RelayedConnection(uint64_t id, UniqueFd client, RelayedLink& link, Time now)
    : id_(id), link_(link), phase_ends_(now + link.handshake), stepped_(now) {
  for (Pipe& pipe : pipes_) pipe.flow.owner = id;
  ends_[kClient].fd = std::move(client);
  Add(kClient);
}

RelayedConnection::~RelayedConnection() {
  for (const int direction : {kClient, kServer}) {
    link_.directions[direction].Remove(pipes_[direction].flow);
  }
}

void RelayedConnection::Add(int end) {
  const int fd = ends_[end].fd.get();
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = EventData(id_, end);
  if (epoll_ctl(link_.epoll, EPOLL_CTL_ADD, fd, &event) != 0) ends_[end].failed = true;
}

void RelayedConnection::StartConnect(Time now) {
  phase_ = Phase::kConnecting;
  UniqueFd fd(socket(link_.upstream.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid() || !RelayedLink::SetSizes(fd.get()) ||
      (connect(fd.get(), link_.upstream.sockaddr_ptr(), link_.upstream.size()) != 0 &&
       errno != EINPROGRESS)) {
    OnRefused(now);
    return;
  }
  ends_[kServer].fd = std::move(fd);
  Add(kServer);
  if (ends_[kServer].failed) OnRefused(now);
}

void RelayedConnection::OnRefused(Time now) {
  phase_ = Phase::kRefused;
  phase_ends_ = now + link_.handshake;
  ends_[kServer].fd.Reset();
}

void RelayedConnection::OnConnected(Time now) {
  phase_ = Phase::kOpen;
  pipes_[kClient].open_at = now + link_.handshake;
  pipes_[kServer].open_at = now + 2 * link_.handshake;
}

void RelayedConnection::OnEvents(int end, uint32_t events, Time now) {
  End& at = ends_[end];
  if (!at.fd.valid()) return;  // closed a moment ago
  if (end == kServer && phase_ == Phase::kConnecting) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
      OnRefused(now);
      return;
    }
    if ((events & EPOLLOUT) == 0) return;
    OnConnected(now);
  }
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0) at.readable = true;
  if ((events & EPOLLOUT) != 0) at.writable = true;
  if ((events & EPOLLERR) != 0) at.failed = true;
}

void RelayedConnection::OnPassed(int direction, int64_t bytes, Time due) {
  if (!pipes_[direction].dead) pipes_[direction].flights.push_back({bytes, due});
}

void RelayedConnection::Step(Time now) {
  stepped_ = now;
  if (phase_ == Phase::kWaiting && now >= phase_ends_) StartConnect(now);
  if (phase_ == Phase::kRefused) {
    if (now >= phase_ends_) Reset(kClient);
    return;
  }
  for (const int direction : {kClient, kServer}) {
    Open(direction, now);
    Deliver(direction, now);
    Read(direction);
    // Seen by epoll; what came before it, and for which there is room, has been read.
    if (ends_[direction].failed && ends_[direction].fd.valid()) OnReset(direction);
  }
  // What was read may have been all there is: an ending needs no event of its own to be sent.
  for (const int direction : {kClient, kServer}) DeliverEnding(direction, now);
}

void RelayedConnection::Open(int direction, Time now) {
  Pipe& pipe = pipes_[direction];
  if (pipe.open || !pipe.open_at || now < *pipe.open_at) return;
  pipe.open = true;
  link_.directions[direction].Enqueue(pipe.flow, std::exchange(pipe.held, 0), now);
}

void RelayedConnection::Deliver(int direction, Time now) {
  Pipe& pipe = pipes_[direction];
  while (!pipe.flights.empty() && pipe.flights.front().due <= now) {
    pipe.arrived += pipe.flights.front().bytes;
    pipe.flights.pop_front();
  }
  End& to = ends_[1 - direction];
  while (pipe.arrived > 0 && to.writable) {
    iovec pieces[2];
    msghdr message = {};
    message.msg_iov = pieces;
    message.msg_iovlen = pipe.bytes.Front(pipe.arrived, pieces);
    const ssize_t sent = sendmsg(to.fd.get(), &message, MSG_NOSIGNAL);
    if (sent >= 0) {
      pipe.bytes.Pop(sent);
      pipe.arrived -= sent;
      link_.delivered[direction].fetch_add(sent, std::memory_order_relaxed);
    } else if (errno == EAGAIN) {
      to.writable = false;
    } else if (errno != EINTR) {
      OnReset(1 - direction);
    }
  }
}

void RelayedConnection::DeliverEnding(int direction, Time now) {
  Pipe& pipe = pipes_[direction];
  if (pipe.ending == Ending::kNone || pipe.fin_sent || pipe.dead) return;
  if (!pipe.ending_due) {
    if (!pipe.open || pipe.flow.waiting > 0) return;
    // A clock of its own: `now` may be older than what was read.
    pipe.ending_due = Clock::now() + link_.delay;
    // A RST that overtakes what a stall holds back ends the connection without it.
    if (pipe.ending == Ending::kFin) {
      pipe.ending_due = std::max(*pipe.ending_due, pipe.flow.last_due);
    }
  }
  if (now < *pipe.ending_due) return;
  if (pipe.ending == Ending::kReset) {
    Reset(1 - direction);
  } else if (pipe.bytes.empty()) {
    shutdown(ends_[1 - direction].fd.get(), SHUT_WR);
    pipe.fin_sent = true;
  }
}

int64_t RelayedConnection::Room(const Pipe& pipe) const {
  if (pipe.dead || pipe.ending != Ending::kNone) return 0;
  const int64_t room = std::min(link_.waiting_max - pipe.held - pipe.flow.waiting,
                                link_.bytes_max - static_cast<int64_t>(pipe.bytes.size()));
  return room < kRoomMin ? 0 : std::min<int64_t>(room, link_.scratch.size());
}

void RelayedConnection::Read(int direction) {
  End& from = ends_[direction];
  Pipe& pipe = pipes_[direction];
  while (from.readable) {
    const int64_t room = Room(pipe);
    if (room == 0) return;
    const ssize_t size = recv(from.fd.get(), link_.scratch.data(), room, 0);
    if (size > 0) {
      pipe.bytes.Append(link_.scratch.data(), size);
      if (pipe.open) {
        // A clock of its own: these may have been sent since the one of this step.
        link_.directions[direction].Enqueue(pipe.flow, size, Clock::now());
      } else {
        pipe.held += size;
      }
    } else if (size == 0) {
      pipe.ending = Ending::kFin;
      from.readable = false;
    } else if (errno == EAGAIN) {
      from.readable = false;
    } else if (errno != EINTR) {
      OnReset(direction);
    }
  }
}

void RelayedConnection::OnReset(int end) {
  ends_[end] = End();
  Pipe& from = pipes_[end];
  from.ending = Ending::kReset;
  from.ending_due.reset();
  from.fin_sent = false;
  Pipe& to = pipes_[1 - end];
  link_.directions[1 - end].Remove(to.flow);
  to.dead = true;
  to.bytes.Clear();
  to.flights.clear();
  to.arrived = to.held = 0;
}

void RelayedConnection::Reset(int end) {
  const linger at_once = {1, 0};
  if (ends_[end].fd.valid()) {
    setsockopt(ends_[end].fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  ends_[end] = End();
}

Time RelayedConnection::next() const {
  Time next = Time::max();
  if (phase_ == Phase::kWaiting || phase_ == Phase::kRefused) next = phase_ends_;
  for (const Pipe& pipe : pipes_) {
    if (pipe.dead) continue;
    if (!pipe.open && pipe.open_at) next = std::min(next, *pipe.open_at);
    if (!pipe.flights.empty()) next = std::min(next, pipe.flights.front().due);
    // A FIN that is due waits for bytes that cannot be written yet; epoll tells when they can.
    if (pipe.ending_due && *pipe.ending_due > stepped_) next = std::min(next, *pipe.ending_due);
  }
  return next;
}

bool RelayedConnection::done() const {
  if (phase_ != Phase::kOpen && phase_ != Phase::kRefused) return false;
  if (pipes_[kClient].fin_sent && pipes_[kServer].fin_sent) return true;
  return !ends_[kClient].fd.valid() && !ends_[kServer].fd.valid();
}

}  // namespace predial
