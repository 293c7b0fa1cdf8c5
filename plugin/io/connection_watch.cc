#include "plugin/io/connection_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/io/dialer.h"

namespace predial {

namespace {

// Of POLLRDHUP, POLLHUP and POLLERR.
int PollEnd(const UniqueFd& socket) {
  pollfd poller = {socket.get(), POLLRDHUP, 0};
  int ready;
  do {
    ready = poll(&poller, 1, /*timeout=*/0);
  } while (ready < 0 && errno == EINTR);
  return ready > 0 ? poller.revents : 0;
}

}  // namespace

bool HasHungUp(const UniqueFd& socket) {
  return (PollEnd(socket) & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void WakeIfEnded(const UniqueFd& socket) {
  // There is nothing left to shut down, and Linux says so, but wakes those who wait first.
  if ((PollEnd(socket) & POLLHUP) != 0) shutdown(socket.get(), SHUT_RDWR);
}

absl::StatusOr<std::unique_ptr<ConnectionWatch>> ConnectionWatch::Create(
    EventLoop& loop, int fd, absl::AnyInvocable<void()> on_closed) {
  UniqueFd copy(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) {
    return DialError(DialResult::kLocalLimit,
                     absl::StrCat("cannot duplicate a descriptor to watch its connection: ",
                                  std::strerror(errno), "; raise RLIMIT_NOFILE (ulimit -n)"));
  }
  auto watch = std::unique_ptr<ConnectionWatch>(
      new ConnectionWatch(loop, std::move(copy), std::move(on_closed)));
  // EPOLLHUP and EPOLLERR are always reported.
  auto id =
      loop.Watch(watch->fd_->get(), EPOLLRDHUP, [raw = watch.get()](uint32_t) { raw->OnEvents(); });
  if (!id.ok()) return DialError(DialResult::kLocalLimit, id.status().message());
  watch->watch_ = *id;
  return watch;
}

ConnectionWatch::ConnectionWatch(EventLoop& loop, UniqueFd fd, absl::AnyInvocable<void()> on_closed)
    : loop_(loop),
      fd_(std::make_shared<const UniqueFd>(std::move(fd))),
      on_closed_(std::move(on_closed)) {}

ConnectionWatch::~ConnectionWatch() { loop_.Unwatch(watch_); }

void ConnectionWatch::ForceClose() { shutdown(fd_->get(), SHUT_RDWR); }

void ConnectionWatch::OnEvents() {
  loop_.Unwatch(std::exchange(watch_, EventLoop::WatchId::kNone));
  auto on_closed = std::move(on_closed_);
  on_closed();  // may destroy this
}

}  // namespace predial
