#include "plugin/io/connect_attempt.h"

#include <errno.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/io/dial_socket.h"
#include "plugin/io/dialer.h"

namespace predial {
namespace {

constexpr Duration kRetryDelayMax = std::chrono::milliseconds(50);

}  // namespace

ConnectAttempt::ConnectAttempt(EventLoop& loop, UniqueFd socket, const Address& peer, Done done)
    : loop_(loop), socket_(std::move(socket)), peer_(peer), done_(std::move(done)) {
  Connect();
}

ConnectAttempt::~ConnectAttempt() { Disarm(); }

void ConnectAttempt::Connect() {
  timer_ = EventLoop::TimerId::kNone;
  if (connect(socket_.get(), peer_.sockaddr_ptr(), peer_.size()) == 0) {
    return FinishSoon(CheckConnected());
  }
  const int error = errno;
  const bool is_unix = peer_.family() == AF_UNIX;
  if (is_unix && (error == EAGAIN || error == EINTR)) {
    // The listener's backlog is full, and nothing tells when it no longer is.
    timer_ = loop_.RunAt(loop_.Now() + retry_delay_, [this] { Connect(); });
    retry_delay_ = std::min(2 * retry_delay_, kRetryDelayMax);
    return;
  }
  // An interrupted connect() goes on by itself (connect(2), EINTR).
  if (error != EINPROGRESS && error != EINTR) {
    return FinishSoon(DialErrnoError(peer_, "connect", error));
  }
  auto watch = loop_.Watch(socket_.get(), EPOLLOUT, [this](uint32_t) { OnEvents(); });
  if (!watch.ok()) {
    return FinishSoon(DialError(DialResult::kLocalLimit, absl::StrCat(peer_.ToString(), ": epoll: ",
                                                                      watch.status().message())));
  }
  watch_ = *watch;
}

void ConnectAttempt::OnEvents() {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  Finish(error == 0 ? CheckConnected() : DialErrnoError(peer_, "connect", error));
}

absl::Status ConnectAttempt::CheckConnected() const {
  if (peer_.family() != AF_INET && peer_.family() != AF_INET6) return absl::OkStatus();
  sockaddr_storage local, remote;
  socklen_t local_size = sizeof(local), remote_size = sizeof(remote);
  if (getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&remote), &remote_size) != 0 ||
      getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&local), &local_size) != 0) {
    return DialErrnoError(peer_, "connect", errno);  // ended again before we looked
  }
  if (Address(reinterpret_cast<sockaddr*>(&local), local_size) !=
      Address(reinterpret_cast<sockaddr*>(&remote), remote_size)) {
    return absl::OkStatus();
  }
  // TCP's simultaneous open with itself: the kernel chose the very port that is dialed, where
  // nobody listens. A reset at close keeps the port from waiting, and the server able to bind it.
  const linger reset = {1, 0};
  (void)setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  return DialError(DialResult::kRefused,
                   absl::StrCat(peer_.ToString(),
                                ": the socket connected to itself: nobody listens, and the port is "
                                "in net.ipv4.ip_local_port_range"));
}

void ConnectAttempt::FinishSoon(absl::Status status) {
  timer_ = loop_.RunAt(loop_.Now(), [this, status = std::move(status)] {
    timer_ = EventLoop::TimerId::kNone;
    Finish(status);
  });
}

void ConnectAttempt::Finish(absl::Status status) {
  Disarm();
  Done done = std::move(done_);
  if (status.ok()) {
    done(std::move(socket_));
  } else {
    socket_.Reset();
    done(std::move(status));
  }
}

void ConnectAttempt::Disarm() {
  loop_.Unwatch(std::exchange(watch_, EventLoop::WatchId::kNone));
  loop_.Cancel(std::exchange(timer_, EventLoop::TimerId::kNone));
}

}  // namespace predial
