// What the tests of plugin/io share: work on a loop's thread, results out of it, listeners.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "plugin/io/address.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/unique_fd.h"

namespace predial {

// Far beyond what any step of a test takes; a test that waits so long has failed.
inline constexpr std::chrono::seconds kTestPatience{30};

// Hands one value from one thread to another.
template <typename T>
class Box {
 public:
  void Put(T value) {
    std::lock_guard<std::mutex> lock(mutex_);
    EXPECT_FALSE(value_.has_value()) << "a second value";
    value_.emplace(std::move(value));
    filled_.notify_all();
  }
  // Aborts when kTestPatience is at its end.
  T Take() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!filled_.wait_for(lock, kTestPatience, [this] { return value_.has_value(); })) {
      std::fprintf(stderr, "Box: nothing came\n");
      std::abort();
    }
    T value = *std::move(value_);
    value_.reset();
    return value;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::optional<T> value_;
};

// Runs `work` on the loop's thread and waits for its end.
template <typename Work>
void RunInLoop(EventLoop& loop, Work work) {
  Box<bool> done;
  loop.Post([&] {
    work();
    done.Put(true);
  });
  done.Take();
}

inline Address LocalAddress(int fd) {
  sockaddr_storage storage;
  socklen_t size = sizeof(storage);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size), 0);
  return Address(reinterpret_cast<sockaddr*>(&storage), size);
}

// A socket bound to `address`, with a port of the kernel's choice. Not listening: dials are
// refused. Invalid if this host cannot, as without IPv6.
inline UniqueFd BindSocket(const std::string& address) {
  const Address wanted = *Address::Parse(address);
  UniqueFd fd(socket(wanted.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.valid() && bind(fd.get(), wanted.sockaddr_ptr(), wanted.size()) != 0) fd.Reset();
  return fd;
}

inline UniqueFd ListenOn(const std::string& address, int backlog = 16) {
  UniqueFd fd = BindSocket(address);
  if (fd.valid() && listen(fd.get(), backlog) != 0) fd.Reset();
  return fd;
}

// A connected, non-blocking socket, as dialers make them.
inline UniqueFd ConnectTo(const Address& peer) {
  UniqueFd fd(socket(peer.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(fd.get(), peer.sockaddr_ptr(), peer.size()), 0) << strerror(errno);
  EXPECT_EQ(fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0) << strerror(errno);
  return fd;
}

inline bool WaitFor(int fd, short events) {
  pollfd poll_fd = {fd, events, 0};
  const int milliseconds = std::chrono::milliseconds(kTestPatience).count();
  return poll(&poll_fd, 1, milliseconds) == 1;
}

// A listener that answers nobody: its backlog of 0 has room for one connection, and has it. The
// kernel drops further SYNs; a unix socket says EAGAIN.
class FullListener {
 public:
  explicit FullListener(const std::string& address) : listener_(ListenOn(address, 0)) {
    EXPECT_TRUE(listener_.valid()) << strerror(errno);
    const Address peer = this->address();
    filler_.Reset(socket(peer.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(filler_.get(), peer.sockaddr_ptr(), peer.size()), 0) << strerror(errno);
    EXPECT_TRUE(WaitFor(listener_.get(), POLLIN));
  }
  Address address() const { return LocalAddress(listener_.get()); }
  // Makes room for one.
  UniqueFd Accept() { return UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

 private:
  UniqueFd listener_;
  UniqueFd filler_;
};

// How many descriptors this process has open.
inline int OpenFds() {
  DIR* directory = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count - 3;  // ".", "..", the directory's own
}

}  // namespace predial
