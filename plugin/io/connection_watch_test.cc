#include "plugin/io/connection_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugin/core/types.h"
#include "plugin/io/dialer.h"
#include "plugin/io/epoll_loop.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"
#include "plugin/testing/manual_loop.h"

namespace predial {
namespace {

// A connection over TCP, whose ends differ from a socketpair's: a RST, a half close.
class ConnectionWatchTest : public testing::Test {
 protected:
  ConnectionWatchTest() {
    const UniqueFd listener = ListenOn("127.0.0.1:0");
    client_ = ConnectTo(LocalAddress(listener.get()));
    server_.Reset(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(server_.valid());
  }
  ~ConnectionWatchTest() override {
    RunInLoop(loop_, [this] { watch_.reset(); });
  }

  void Watch() {
    RunInLoop(loop_, [this] {
      auto watch = ConnectionWatch::Create(loop_, client_.get(), [this] { closed_.Put(true); });
      ASSERT_TRUE(watch.ok()) << watch.status();
      watch_ = *std::move(watch);
    });
  }
  bool HasUnread() { return WaitFor(client_.get(), POLLIN); }

  EpollLoop loop_;
  UniqueFd client_, server_;
  Box<bool> closed_;  // a second value fails the test
  std::unique_ptr<ConnectionWatch> watch_;
};

TEST_F(ConnectionWatchTest, TellsWhenThePeerCloses) {
  Watch();
  EXPECT_FALSE(HasHungUp(*watch_->socket()));
  server_.Reset();
  closed_.Take();
  EXPECT_TRUE(HasHungUp(*watch_->socket()));
  // Once: the end stays, and is not told again.
  RunInLoop(loop_, [] {});
  RunInLoop(loop_, [] {});
}

TEST_F(ConnectionWatchTest, TellsWhenThePeerWillSendNoMore) {
  Watch();
  ASSERT_EQ(shutdown(server_.get(), SHUT_WR), 0);
  closed_.Take();
  EXPECT_TRUE(HasHungUp(*watch_->socket()));
}

TEST_F(ConnectionWatchTest, TellsOfAReset) {
  Watch();
  const linger reset = {1, 0};
  ASSERT_EQ(setsockopt(server_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
  server_.Reset();
  closed_.Take();
  EXPECT_TRUE(HasHungUp(*watch_->socket()));
}

TEST_F(ConnectionWatchTest, TellsOfAnEndThatWasThereBefore) {
  server_.Reset();
  Watch();
  closed_.Take();
}

TEST_F(ConnectionWatchTest, BytesAreNoEndAndStay) {
  Watch();
  ASSERT_EQ(send(server_.get(), "settings", 8, MSG_NOSIGNAL), 8);
  ASSERT_TRUE(HasUnread());
  RunInLoop(loop_, [] {});
  EXPECT_FALSE(HasHungUp(*watch_->socket()));
  char bytes[16];
  EXPECT_EQ(recv(client_.get(), bytes, sizeof(bytes), 0), 8);
}

TEST_F(ConnectionWatchTest, AnEndBehindUnreadBytesIsOne) {
  Watch();
  ASSERT_EQ(send(server_.get(), "settings", 8, MSG_NOSIGNAL), 8);
  server_.Reset();
  closed_.Take();
  EXPECT_TRUE(HasHungUp(*watch_->socket()));
}

// An edge-triggered epoll, as gRPC's: what has been reported once is not reported again.
class WakeTest : public ConnectionWatchTest {
 protected:
  WakeTest() {
    epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLET, {}};
    EXPECT_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client_.get(), &event), 0);
    EXPECT_TRUE(IsReported(0));  // writable
    EXPECT_FALSE(IsReported(0));
  }
  bool IsReported(int timeout_ms) {
    epoll_event event;
    return epoll_wait(epoll_.get(), &event, 1, timeout_ms) == 1;
  }
  void Reset() {
    const linger reset = {1, 0};
    ASSERT_EQ(setsockopt(server_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    server_.Reset();
    while (IsReported(kPatienceMs) && !HasEnded()) {
    }
    // What a RST reports may come in parts.
    while (IsReported(0)) {
    }
  }
  bool HasEnded() const {
    pollfd poller = {client_.get(), 0, 0};
    return poll(&poller, 1, 0) == 1 && (poller.revents & POLLHUP) != 0;
  }

  static constexpr int kPatienceMs = 30000;
  const UniqueFd epoll_{epoll_create1(EPOLL_CLOEXEC)};
};

TEST_F(WakeTest, AResetIsReportedAgain) {
  Reset();
  EXPECT_FALSE(IsReported(0));
  for (int i = 0; i < 3; ++i) {
    WakeIfEnded(client_);
    EXPECT_TRUE(IsReported(0));
  }
}

TEST_F(WakeTest, WhatCameBeforeAResetStays) {
  ASSERT_EQ(send(server_.get(), "settings", 8, MSG_NOSIGNAL), 8);
  Reset();
  WakeIfEnded(client_);
  char bytes[16];
  EXPECT_EQ(recv(client_.get(), bytes, sizeof(bytes), 0), 8);
  EXPECT_LE(recv(client_.get(), bytes, sizeof(bytes), 0), 0);
}

TEST_F(WakeTest, AConnectionThatIsOpenIsLeftAlone) {
  WakeIfEnded(client_);
  EXPECT_FALSE(IsReported(0));
  ASSERT_EQ(send(server_.get(), "settings", 8, MSG_NOSIGNAL), 8);
  char bytes[16];
  EXPECT_EQ(recv(client_.get(), bytes, sizeof(bytes), 0), 8);
  // The peer says no more, and may well listen.
  ASSERT_EQ(shutdown(server_.get(), SHUT_WR), 0);
  EXPECT_EQ(recv(client_.get(), bytes, sizeof(bytes), 0), 0);
  WakeIfEnded(client_);
  EXPECT_EQ(send(client_.get(), "answer", 6, MSG_NOSIGNAL), 6);
  EXPECT_EQ(recv(server_.get(), bytes, sizeof(bytes), 0), 6);
}

TEST_F(ConnectionWatchTest, OutlivesTheDescriptorThatItWasMadeFrom) {
  Watch();
  // What gRPC does when it closes the transport: the connection has an end, for both sides.
  ASSERT_EQ(shutdown(client_.get(), SHUT_RDWR), 0);
  client_.Reset();
  closed_.Take();
}

TEST_F(ConnectionWatchTest, DestroyedItSaysNothing) {
  const int fds = OpenFds();
  Watch();
  RunInLoop(loop_, [this] { watch_.reset(); });
  EXPECT_EQ(OpenFds(), fds);
  server_.Reset();
  ASSERT_TRUE(HasUnread());  // the end has arrived
  RunInLoop(loop_, [] {});
}

TEST_F(ConnectionWatchTest, MayBeDestroyedByItsReport) {
  const int fds = OpenFds();
  RunInLoop(loop_, [this] {
    auto watch = ConnectionWatch::Create(loop_, client_.get(), [this] {
      watch_.reset();
      closed_.Put(true);
    });
    ASSERT_TRUE(watch.ok()) << watch.status();
    watch_ = *std::move(watch);
  });
  server_.Reset();
  closed_.Take();
  EXPECT_EQ(OpenFds(), fds - 1);  // the server's end
}

TEST_F(ConnectionWatchTest, ForceCloseEndsItForBothSides) {
  Watch();
  RunInLoop(loop_, [this] { watch_->ForceClose(); });
  closed_.Take();
  char byte;
  EXPECT_EQ(recv(server_.get(), &byte, 1, 0), 0);
  EXPECT_EQ(recv(client_.get(), &byte, 1, 0), 0);
}

TEST_F(ConnectionWatchTest, TheDuplicateIsNotInherited) {
  Watch();
  EXPECT_EQ(fcntl(watch_->socket()->get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST_F(ConnectionWatchTest, WithoutADescriptorLeftTheLimitIsOurs) {
  ManualLoop loop;
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto watch = ConnectionWatch::Create(loop, client_.get(), [] {});
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(watch.ok());
  EXPECT_EQ(watch.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DialResultOf(watch.status()), DialResult::kLocalLimit);
  EXPECT_NE(watch.status().message().find("RLIMIT_NOFILE"), absl::string_view::npos);
}

// Has no room for watches.
class FullLoop : public ManualLoop {
 public:
  absl::StatusOr<WatchId> Watch(int, uint32_t, FdCallback) override {
    return absl::ResourceExhaustedError("no room");
  }
};

TEST_F(ConnectionWatchTest, WithoutRoomForAWatchTheLimitIsOurs) {
  const int fds = OpenFds();
  FullLoop loop;
  const auto watch = ConnectionWatch::Create(loop, client_.get(), [] {});
  EXPECT_EQ(DialResultOf(watch.status()), DialResult::kLocalLimit);
  EXPECT_EQ(OpenFds(), fds);
}

}  // namespace
}  // namespace predial
