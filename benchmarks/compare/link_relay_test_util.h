// What the tests of LinkRelay share: a relay with its upstream, connections over it, and transfers.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmarks/compare/link_options.h"
#include "benchmarks/compare/link_relay.h"
#include "gtest/gtest.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"

namespace predial {

inline bool Eventually(const std::function<bool()>& condition) {
  const Time deadline = Clock::now() + kTestPatience;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// A multiple of 8 bytes.
inline std::string RandomBytes(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
    const uint64_t word = random();
    std::memcpy(&bytes[at], &word, sizeof word);
  }
  return bytes;
}

// Both ends of one connection over the relay; non-blocking.
struct Connected {
  UniqueFd client;
  UniqueFd server;
  Time began;  // just before connect()
};

// `data` on its way from one socket to another.
struct Transfer {
  int from;
  int to;
  std::string data;
  size_t sent = 0;
  std::string received = {};

  bool Send() {
    const ssize_t size =
        send(from, data.data() + sent, data.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size > 0) sent += size;
    return size > 0 || errno == EAGAIN;
  }
  // At most 64 KiB. False at the end of the stream, or on an error.
  bool Receive() {
    char bytes[64 << 10];
    const ssize_t size = recv(to, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size > 0) received.append(bytes, size);
    return size > 0 || (size < 0 && errno == EAGAIN);
  }
  bool done() const { return received.size() >= data.size(); }
};

class LinkRelayTest : public testing::Test {
 protected:
  void SetUp() override {
    listener_ = ListenOn("127.0.0.1:0", /*backlog=*/512);
    ASSERT_TRUE(listener_.valid());
  }

  void StartRelay(const LinkOptions& options) {
    delay_ = absl::ToChronoNanoseconds(options.delay);
    absl::StatusOr<std::unique_ptr<LinkRelay>> relay =
        LinkRelay::Start(LocalAddress(listener_.get()).ToString(), options);
    ASSERT_TRUE(relay.ok()) << relay.status();
    relay_ = *std::move(relay);
  }

  UniqueFd ConnectClient() { return ConnectTo(*Address::Parse(relay_->address())); }

  // The relay's next connection to its upstream.
  UniqueFd AcceptServer() {
    EXPECT_TRUE(WaitFor(listener_.get(), POLLIN)) << "upstream was not dialed";
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    EXPECT_TRUE(fd.valid()) << strerror(errno);
    return fd;
  }

  Connected Connect() {
    const Time began = Clock::now();
    UniqueFd client = ConnectClient();
    return {std::move(client), AcceptServer(), began};
  }

  // Until all have arrived: several at once.
  static void Run(std::vector<Transfer>& transfers) {
    for (;;) {
      std::vector<pollfd> watched;
      for (const Transfer& transfer : transfers) {
        const bool sending = transfer.sent < transfer.data.size();
        watched.push_back({sending ? transfer.from : -1, POLLOUT, 0});
        watched.push_back({transfer.done() ? -1 : transfer.to, POLLIN, 0});
      }
      bool all = true;
      for (const Transfer& transfer : transfers) all &= transfer.done();
      if (all) return;
      ASSERT_GT(poll(watched.data(), watched.size(), Patience()), 0) << "nothing moves";
      for (size_t i = 0; i < transfers.size(); ++i) {
        if (watched[2 * i].revents != 0) {
          ASSERT_TRUE(transfers[i].Send()) << strerror(errno);
        }
        if (watched[2 * i + 1].revents != 0) {
          ASSERT_TRUE(transfers[i].Receive()) << strerror(errno);
        }
      }
    }
  }

  // Sends `data` and waits for it at the other end; how long that took.
  static Duration Pass(const UniqueFd& from, const UniqueFd& to, const std::string& data) {
    const Time began = Clock::now();
    std::vector<Transfer> transfers = {{from.get(), to.get(), data}};
    Run(transfers);
    EXPECT_TRUE(transfers[0].received == data);
    return Clock::now() - began;
  }

  // What recv() says once there is something: a size, or -errno.
  static int ReceiveOne(const UniqueFd& fd) {
    EXPECT_TRUE(WaitFor(fd.get(), POLLIN)) << "nothing comes";
    char byte;
    const ssize_t size = recv(fd.get(), &byte, 1, 0);
    return size < 0 ? -errno : static_cast<int>(size);
  }

  // Closes with a RST.
  static void CloseByReset(UniqueFd& fd) {
    const linger at_once = {1, 0};
    EXPECT_EQ(setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    fd.Reset();
  }

  bool AllEnded() {
    return Eventually([this] { return relay_->stats().open == 0; });
  }

  static int Patience() { return std::chrono::milliseconds(kTestPatience).count(); }

  UniqueFd listener_;
  Duration delay_{0};
  std::unique_ptr<LinkRelay> relay_;
};

}  // namespace predial
