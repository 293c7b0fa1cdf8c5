#include "plugin/io/preface_wait.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/io/dialer.h"

namespace predial {

PrefaceWait::PrefaceWait(EventLoop& loop, int fd, Duration wait, Done done)
    : loop_(loop), fd_(fd), done_(std::move(done)) {
  // The first look comes without waiting: a spare's server has long spoken.
  first_look_ = loop_.RunAt(loop_.Now(), [this] { Look(/*last=*/false); });
  end_ = loop_.RunAt(loop_.Now() + wait, [this] { Look(/*last=*/true); });
}

PrefaceWait::~PrefaceWait() {
  loop_.Cancel(first_look_);
  loop_.Cancel(end_);
  loop_.Unwatch(watch_);
}

void PrefaceWait::Look(bool last) {
  std::vector<char> bytes(kServerPrefaceBytesMax);
  ssize_t count;
  do {
    count = recv(fd_, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  const bool nothing = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (count == 0) {
    return Finish(DialError(DialResult::kError, "the server closed the connection at once"));
  }
  if (count < 0 && !nothing) {
    return Finish(DialError(DialResult::kError,
                            absl::StrCat("the connection failed: ", std::strerror(errno))));
  }
  const ServerPreface preface =
      ParseServerPreface(nothing ? absl::string_view() : absl::string_view(bytes.data(), count));
  if (last || preface.kind != ServerPreface::Kind::kIncomplete) return Finish(preface);
  // Edge-triggered: bytes seen already stay in the socket, and would report themselves for ever.
  if (watch_ != EventLoop::WatchId::kNone) return;
  auto watch =
      loop_.Watch(fd_, EPOLLIN | EPOLLRDHUP | EPOLLET, [this](uint32_t) { Look(/*last=*/false); });
  if (!watch.ok()) return Finish(DialError(DialResult::kLocalLimit, watch.status().message()));
  watch_ = *watch;
}

void PrefaceWait::Finish(absl::StatusOr<ServerPreface> result) {
  loop_.Cancel(first_look_);
  loop_.Cancel(end_);
  loop_.Unwatch(std::exchange(watch_, EventLoop::WatchId::kNone));
  auto done = std::move(done_);
  done(std::move(result));  // may destroy this
}

}  // namespace predial
