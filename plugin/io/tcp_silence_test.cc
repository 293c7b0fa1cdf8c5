#include "plugin/io/tcp_silence.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <thread>

#include "plugin/core/types.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"

namespace predial {
namespace {

using std::chrono::milliseconds;

// The kernel counts in ticks of up to 10 ms, and rounds.
constexpr Duration kTick = milliseconds(20);

bool Eventually(const std::function<bool()>& condition) {
  const Time deadline = Clock::now() + kTestPatience;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class TcpSilenceTest : public testing::Test {
 protected:
  void SetUp() override {
    const UniqueFd listener = ListenOn("127.0.0.1:0");
    before_connected_ = Clock::now();
    client_ = ConnectTo(LocalAddress(listener.get()));
    connected_ = Clock::now();
    server_.Reset(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(server_.valid());
  }
  static void Send(const UniqueFd& fd) { ASSERT_EQ(send(fd.get(), "x", 1, MSG_NOSIGNAL), 1); }
  // As if the network lost all that is sent to the server: its kernel drops it unseen.
  void LosePackets() {
    sock_filter drop = {BPF_RET | BPF_K, 0, 0, 0};
    const sock_fprog program = {1, &drop};
    ASSERT_EQ(setsockopt(server_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0)
        << strerror(errno);
  }
  void LoseNoMore() {
    const int unused = 0;
    ASSERT_EQ(setsockopt(server_.get(), SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)), 0);
  }

  Time before_connected_;
  Time connected_;
  UniqueFd client_;
  UniqueFd server_;
};

// The kernel's figure lies between what has passed since this and since that.
TEST_F(TcpSilenceTest, GrowsFromTheBeginning) {
  for (const milliseconds age : {milliseconds(0), milliseconds(50), milliseconds(150)}) {
    ASSERT_TRUE(Eventually([&] { return Clock::now() - connected_ >= age; }));
    const Time before = Clock::now();
    const TcpSilence silence = ReadTcpSilence(client_);
    EXPECT_GE(silence.since_received, before - connected_ - kTick);
    EXPECT_LE(silence.since_received, Clock::now() - before_connected_ + kTick);
    EXPECT_FALSE(silence.stalled);
  }
}

TEST_F(TcpSilenceTest, DataEndsIt) {
  ASSERT_TRUE(Eventually([&] { return Clock::now() - connected_ >= milliseconds(300); }));
  const Time sent = Clock::now();
  Send(server_);
  ASSERT_TRUE(WaitFor(client_.get(), POLLIN));
  // Nobody has to read it.
  const TcpSilence silence = ReadTcpSilence(client_);
  EXPECT_LE(silence.since_received, Clock::now() - sent + kTick);
}

TEST_F(TcpSilenceTest, OwnDataDoesNotEndIt) {
  ASSERT_TRUE(Eventually([&] { return Clock::now() - connected_ >= milliseconds(100); }));
  Send(client_);
  ASSERT_TRUE(WaitFor(server_.get(), POLLIN));
  const Time before = Clock::now();
  const TcpSilence silence = ReadTcpSilence(client_);
  EXPECT_GE(silence.since_received, before - connected_ - kTick) << "acknowledgements are no data";
}

// A server that hangs reads nothing, but its kernel acknowledges.
TEST_F(TcpSilenceTest, AServerThatHangsIsNotStalled) {
  Send(client_);
  ASSERT_TRUE(WaitFor(server_.get(), POLLIN));
  // Longer than the kernel's first retransmission takes (200 ms and the round trip).
  EXPECT_TRUE(Eventually([&] {
    EXPECT_FALSE(ReadTcpSilence(client_).stalled);
    return Clock::now() - connected_ >= milliseconds(500) || HasFailure();
  }));
}

TEST_F(TcpSilenceTest, StallsWhenThePeerAcknowledgesNothingAndRecovers) {
  LosePackets();
  EXPECT_FALSE(ReadTcpSilence(client_).stalled) << "nothing was sent";
  const Time sent = Clock::now();
  Send(client_);
  ASSERT_TRUE(Eventually([&] { return ReadTcpSilence(client_).stalled; }));
  EXPECT_GE(Clock::now() - sent, milliseconds(150)) << "at the first retransmission, not before";
  LoseNoMore();
  EXPECT_TRUE(Eventually([&] { return !ReadTcpSilence(client_).stalled; }));
  EXPECT_TRUE(WaitFor(server_.get(), POLLIN)) << "and what was sent has arrived";
}

TEST_F(TcpSilenceTest, AClosedConnectionIsNotStalled) {
  Send(client_);
  server_.Reset();
  ASSERT_TRUE(WaitFor(client_.get(), POLLIN));
  EXPECT_FALSE(ReadTcpSilence(client_).stalled);
}

TEST(TcpSilenceOfOtherSocketsTest, NothingIsKnown) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const UniqueFd ends[] = {UniqueFd(fds[0]), UniqueFd(fds[1])};
  for (const UniqueFd& end : ends) {
    const TcpSilence silence = ReadTcpSilence(end);
    EXPECT_EQ(silence.since_received, Duration::max());
    EXPECT_FALSE(silence.stalled);
  }
  EXPECT_EQ(ReadTcpSilence(UniqueFd()).since_received, Duration::max());
}

}  // namespace
}  // namespace predial
