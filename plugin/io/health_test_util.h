// What the tests of health checks and of what is built on them share: the reports in their order,
// and servers that behave badly.
#pragma once

#include <sys/socket.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/string_view.h"
#include "examples/echo/echo_server_lib.h"
#include "gtest/gtest.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"

namespace predial {

// Hands values from one thread to another, in their order.
template <typename T>
class Mailbox {
 public:
  void Put(T value) {
    std::lock_guard<std::mutex> lock(mutex_);
    values_.push_back(std::move(value));
    filled_.notify_all();
  }
  // Aborts when kTestPatience is at its end.
  T Take() {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!filled_.wait_for(lock, kTestPatience, [this] { return !values_.empty(); })) {
      std::fprintf(stderr, "Mailbox: nothing came\n");
      std::abort();
    }
    T value = std::move(values_.front());
    values_.pop_front();
    return value;
  }
  bool empty() {
    std::lock_guard<std::mutex> lock(mutex_);
    return values_.empty();
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<T> values_;
};

inline std::unique_ptr<EchoServer> StartEchoServer(const EchoServerOptions& options = {}) {
  auto server = EchoServer::Start(options);
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? *std::move(server) : nullptr;
}

inline Address AddressOf(const EchoServer& server) { return *Address::Parse(server.address()); }

// The preface of a server without settings (RFC 9113 section 3.4).
inline constexpr absl::string_view kServerPreface("\0\0\0\4\0\0\0\0\0", 9);

// A server that says `first`, then waits for the client's first bytes, says `then`, and nothing
// more. It keeps the connection until it is destroyed, unless it is to close it after `then`.
class ByteServer {
 public:
  ByteServer(absl::string_view first, absl::string_view then, bool close_then = false)
      : thread_([this, first, then, close_then] { Run(first, then, close_then); }) {}
  ~ByteServer() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  ByteServer(const ByteServer&) = delete;
  ByteServer& operator=(const ByteServer&) = delete;

  Address address() const { return LocalAddress(listener_.get()); }

 private:
  void Run(absl::string_view first, absl::string_view then, bool close_then) {
    connection_.Reset(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection_.valid()) return;
    Send(first);
    char bytes[24];  // the client's preface
    if (recv(connection_.get(), bytes, sizeof(bytes), MSG_WAITALL) <= 0) return;
    Send(then);
    if (close_then) connection_.Reset();
  }
  void Send(absl::string_view bytes) {
    if (bytes.empty()) return;  // the client may be gone by now
    EXPECT_EQ(send(connection_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), bytes.size());
  }

  const UniqueFd listener_ = ListenOn("127.0.0.1:0");
  UniqueFd connection_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace predial
