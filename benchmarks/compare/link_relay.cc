#include "benchmarks/compare/link_relay.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "plugin/io/address.h"

namespace predial {
namespace {

// Data of epoll events that are not a connection's, whose ids begin after them.
enum : uint64_t { kStop, kTimer, kListener, kReserved };
constexpr int kBacklog = 4096;
constexpr int kEventsPerWait = 256;
constexpr int kAcceptsPerEvent = 64;
// Bytes that pass at once (no rate, no delay) are passed on at once, this often in a row; then
// other connections have their turn.
constexpr int kRoundsMax = 8;
// How long to wait with accepting when there are no descriptors left.
constexpr Duration kAcceptPause = std::chrono::milliseconds(10);

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "link relay: %s: %s\n", what, std::strerror(errno));
  std::abort();
}

absl::StatusOr<UniqueFd> Listen(const Address& address) {
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // An accepted socket has the sizes of its listener.
  if (!fd.valid() || !RelayedLink::SetSizes(fd.get()) ||
      bind(fd.get(), address.sockaddr_ptr(), address.size()) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot listen on ", address.ToString()));
  }
  return fd;
}

std::string LocalAddressOf(int fd) {
  sockaddr_storage storage;
  socklen_t size = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) Die("getsockname");
  return Address(reinterpret_cast<sockaddr*>(&storage), size).ToString();
}

}  // namespace

absl::StatusOr<std::unique_ptr<LinkRelay>> LinkRelay::Start(const std::string& upstream,
                                                            const LinkOptions& options) {
  const absl::StatusOr<Address> address = Address::Parse(upstream);
  if (!address.ok()) return address.status();
  if (address->family() != AF_INET && address->family() != AF_INET6) {
    return absl::InvalidArgumentError(
        absl::StrCat("upstream is '", upstream, "'; it must be a TCP address"));
  }
  absl::Status status = options.Validate();
  if (!status.ok()) return status;
  absl::StatusOr<UniqueFd> listener = Listen(*Address::Parse("127.0.0.1:0"));
  if (!listener.ok()) return listener.status();
  std::unique_ptr<LinkRelay> relay(new LinkRelay(*address, options, *std::move(listener)));
  if (!relay->epoll_.valid() || !relay->stop_.valid() || !relay->timer_.valid()) {
    return absl::ErrnoToStatus(errno, "link relay");
  }
  for (const auto& [fd, data] : {std::pair<int, uint64_t>(relay->stop_.get(), kStop),
                                 {relay->timer_.get(), kTimer},
                                 {relay->listener_.get(), kListener}}) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = data;
    if (epoll_ctl(relay->epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return absl::ErrnoToStatus(errno, "link relay: epoll_ctl");
    }
  }
  relay->thread_ = std::thread(&LinkRelay::Run, relay.get());
  return relay;
}

LinkRelay::LinkRelay(const Address& upstream, const LinkOptions& options, UniqueFd listener)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      listener_(std::move(listener)),
      address_(LocalAddressOf(listener_.get())),
      link_(options, upstream, epoll_.get()),
      last_id_(kReserved),
      timer_set_(Time::max()) {}

void LinkRelay::Stop() {
  if (!thread_.joinable()) return;
  if (eventfd_write(stop_.get(), 1) != 0) Die("eventfd_write");
  thread_.join();
  connections_.clear();
  open_.store(0);
}

LinkRelay::Stats LinkRelay::stats() const {
  Stats stats;
  stats.accepted = accepted_.load();
  stats.open = open_.load();
  stats.bytes_up = link_.delivered[kClient].load();
  stats.bytes_down = link_.delivered[kServer].load();
  stats.stalls = stalls_.load();
  return stats;
}

void LinkRelay::Run() {
  pthread_setname_np(pthread_self(), "link-relay");
  std::vector<epoll_event> events(kEventsPerWait);
  for (;;) {
    SetTimer();
    const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerWait, /*timeout=*/-1);
    if (count < 0 && errno != EINTR) Die("epoll_wait");
    const Time now = Clock::now();
    for (int i = 0; i < count; ++i) {
      const uint64_t data = events[i].data.u64;
      if (data == kStop) return;
      if (data == kTimer) {
        timer_ran_ = now;
        timer_set_ = Time::max();
        uint64_t ignored;
        (void)!read(timer_.get(), &ignored, sizeof ignored);
      } else if (data == kListener) {
        Accept();
      } else {
        const uint64_t id = data / 2;
        const auto found = connections_.find(id);
        if (found == connections_.end()) continue;
        found->second.connection->OnEvents(static_cast<int>(data % 2), events[i].events, now);
        Touch(id);
      }
    }
    if (now >= accept_again_) PauseAccepting(false);
    for (auto due = due_.begin(); due != due_.end() && due->first <= now; ++due) Touch(due->second);
    for (int round = 0; round < kRoundsMax; ++round) {
      if (!AdvanceLinks(now) && round > 0) break;
      StepTouched(now);
    }
    Reschedule();
  }
}

void LinkRelay::Accept() {
  for (int i = 0; i < kAcceptsPerEvent; ++i) {
    UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.valid()) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        PauseAccepting(true);
      }
      return;
    }
    const uint64_t id = ++last_id_;
    connections_[id].connection =
        std::make_unique<RelayedConnection>(id, std::move(client), link_, Clock::now());
    accepted_.fetch_add(1);
    open_.fetch_add(1);
    Touch(id);
  }
}

void LinkRelay::PauseAccepting(bool pause) {
  accept_again_ = pause ? Clock::now() + kAcceptPause : Time::max();
  epoll_event event = {};
  if (!pause) event.events = EPOLLIN;
  event.data.u64 = kListener;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener_.get(), &event) != 0) Die("epoll_ctl");
}

bool LinkRelay::AdvanceLinks(Time now) {
  bool any = false;
  for (const int direction : {kClient, kServer}) {
    FairLink& link = link_.directions[direction];
    link.Advance(now);
    for (const FairLink::Passed& passed : link.TakePassed()) {
      const auto found = connections_.find(passed.owner);
      if (found == connections_.end()) continue;
      found->second.connection->OnPassed(direction, passed.bytes, passed.due);
      Touch(passed.owner);
      any = true;
    }
  }
  stalls_.store(link_.directions[kClient].stalls() + link_.directions[kServer].stalls());
  return any;
}

void LinkRelay::Touch(uint64_t id) {
  Entry& entry = connections_.at(id);
  if (!entry.touched) touched_.push_back(id);
  entry.touched = true;
}

void LinkRelay::StepTouched(Time now) {
  for (const uint64_t id : touched_) connections_.at(id).connection->Step(now);
}

void LinkRelay::Reschedule() {
  for (const uint64_t id : touched_) {
    const auto found = connections_.find(id);
    Entry& entry = found->second;
    entry.touched = false;
    const bool done = entry.connection->done();
    const Time due = done ? Time::max() : entry.connection->next();
    if (due != entry.due) {
      if (entry.due != Time::max()) due_.erase({entry.due, id});
      if (due != Time::max()) due_.insert({due, id});
      entry.due = due;
    }
    if (done) {
      connections_.erase(found);
      open_.fetch_sub(1);
    }
  }
  touched_.clear();
}

void LinkRelay::SetTimer() {
  Time next = accept_again_;
  if (!due_.empty()) next = std::min(next, due_.begin()->first);
  for (const FairLink& link : link_.directions) {
    if (const auto link_next = link.next()) next = std::min(next, *link_next);
  }
  if (next != Time::max()) next = std::max(next, timer_ran_ + RelayedLink::kTimerInterval);
  if (next == timer_set_) return;
  timer_set_ = next;
  itimerspec spec = {};  // all zero: off
  if (next != Time::max()) {
    // Not zero if it is due already: that would be off.
    const int64_t nanos =
        std::max<int64_t>(std::chrono::duration_cast<Duration>(next.time_since_epoch()).count(), 1);
    spec.it_value.tv_sec = nanos / 1'000'000'000;
    spec.it_value.tv_nsec = nanos % 1'000'000'000;
  }
  if (timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) != 0) {
    Die("timerfd_settime");
  }
}

}  // namespace predial
