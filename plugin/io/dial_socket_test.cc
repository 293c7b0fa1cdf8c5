#include "plugin/io/dial_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugin/io/dialer.h"
#include "plugin/io/io_test_util.h"

namespace predial {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

int GetInt(const UniqueFd& fd, int level, int option) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_EQ(getsockopt(fd.get(), level, option, &value, &size), 0) << strerror(errno);
  return value;
}

std::string GetText(const UniqueFd& fd, int level, int option) {
  char text[64] = {};
  socklen_t size = sizeof(text);
  EXPECT_EQ(getsockopt(fd.get(), level, option, text, &size), 0) << strerror(errno);
  return text;
}

UniqueFd OpenOrFail(const SocketOptions& options, const char* peer) {
  EXPECT_EQ(options.Validate(), absl::OkStatus());
  auto fd = OpenDialSocket(options, *Address::Parse(peer));
  EXPECT_TRUE(fd.ok()) << fd.status();
  return fd.ok() ? *std::move(fd) : UniqueFd();
}

absl::Status OpenError(const SocketOptions& options, const char* peer) {
  EXPECT_EQ(options.Validate(), absl::OkStatus());
  return OpenDialSocket(options, *Address::Parse(peer)).status();
}

TEST(DialSocketTest, Defaults) {
  for (const char* peer : {"127.0.0.1:1", "[::1]:1"}) {
    const UniqueFd fd = OpenOrFail(SocketOptions(), peer);
    EXPECT_NE(fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(GetInt(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    EXPECT_EQ(GetInt(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(GetInt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 20000);
    EXPECT_EQ(GetInt(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(GetInt(fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    EXPECT_EQ(GetInt(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    EXPECT_EQ(GetInt(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
  }
}

TEST(DialSocketTest, EveryOption) {
  SocketOptions options;
  options.no_delay = false;
  options.user_timeout = absl::Milliseconds(1234);
  options.keepalive_idle = absl::Seconds(11);
  options.keepalive_interval = absl::Seconds(12);
  options.keepalive_probes = 13;
  options.bind_device = "lo";
  options.dscp = 46;
  options.congestion_control = "reno";  // every kernel has it
  options.send_buffer_bytes = 100000;
  options.receive_buffer_bytes = 90000;
  for (const char* peer : {"127.0.0.1:1", "[::1]:1"}) {
    SCOPED_TRACE(peer);
    const UniqueFd fd = OpenOrFail(options, peer);
    EXPECT_EQ(GetInt(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_EQ(GetInt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 1234);
    EXPECT_EQ(GetInt(fd, IPPROTO_TCP, TCP_KEEPIDLE), 11);
    EXPECT_EQ(GetInt(fd, IPPROTO_TCP, TCP_KEEPINTVL), 12);
    EXPECT_EQ(GetInt(fd, IPPROTO_TCP, TCP_KEEPCNT), 13);
    EXPECT_EQ(GetText(fd, SOL_SOCKET, SO_BINDTODEVICE), "lo");
    EXPECT_EQ(GetText(fd, IPPROTO_TCP, TCP_CONGESTION), "reno");
    EXPECT_EQ(GetInt(fd, IPPROTO_IP, IP_TOS), 46 << 2);
    if (peer[0] == '[') {
      EXPECT_EQ(GetInt(fd, IPPROTO_IPV6, IPV6_TCLASS), 46 << 2);
    }
    // The kernel doubles what is asked for (socket(7)).
    EXPECT_EQ(GetInt(fd, SOL_SOCKET, SO_SNDBUF), 200000);
    EXPECT_EQ(GetInt(fd, SOL_SOCKET, SO_RCVBUF), 180000);
  }
}

TEST(DialSocketTest, OptionsLeftToTheKernel) {
  SocketOptions options;
  options.user_timeout = absl::ZeroDuration();
  options.keepalive = false;
  const UniqueFd fd = OpenOrFail(options, "127.0.0.1:1");
  const UniqueFd plain(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(GetInt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
  EXPECT_EQ(GetInt(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(GetInt(fd, IPPROTO_IP, IP_TOS), GetInt(plain, IPPROTO_IP, IP_TOS));
  EXPECT_EQ(GetInt(fd, SOL_SOCKET, SO_SNDBUF), GetInt(plain, SOL_SOCKET, SO_SNDBUF));
}

TEST(DialSocketTest, UnixSocketsTakeTheBuffers) {
  SocketOptions options;
  options.send_buffer_bytes = 100000;
  options.source_address = "127.0.0.1";
  options.congestion_control = "no-such";
  options.multipath = true;
  const UniqueFd fd = OpenOrFail(options, "unix:/a");
  EXPECT_NE(fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(GetInt(fd, SOL_SOCKET, SO_SNDBUF), 200000);
}

TEST(DialSocketTest, ASourceAddressLeavesThePortToConnect) {
  SocketOptions options;
  options.source_address = "127.0.0.2";
  const UniqueFd fd = OpenOrFail(options, "127.0.0.1:1");
  EXPECT_EQ(LocalAddress(fd.get()), *Address::Parse("127.0.0.2:0"));
}

TEST(DialSocketTest, OptionsThatTheKernelRefusesFailWithTheirName) {
  SocketOptions source;
  source.source_address = "192.0.2.7";  // TEST-NET-1: nobody's
  SocketOptions family;
  family.source_address = "::1";
  SocketOptions device;
  device.bind_device = "no-such-if";
  SocketOptions congestion;
  congestion.congestion_control = "no-such-cc";
  const struct {
    SocketOptions options;
    const char* name;
  } cases[] = {
      {source, "source_address 192.0.2.7: Cannot assign requested address"},
      {family, "source_address ::1: Address family not supported"},
      {device, "bind_device \"no-such-if\": No such device"},
      {congestion, "congestion_control \"no-such-cc\": No such file or directory"},
  };
  for (const bool multipath : {false, true}) {
    for (const auto& c : cases) {
      SocketOptions options = c.options;
      options.multipath = multipath;
      const absl::Status status = OpenError(options, "127.0.0.1:1");
      EXPECT_EQ(DialResultOf(status), DialResult::kError);
      EXPECT_THAT(std::string(status.message()),
                  AllOf(StartsWith("127.0.0.1:1: "), HasSubstr(c.name)));
    }
  }
}

TEST(DialSocketTest, MultipathWhereTheKernelHasIt) {
  constexpr int kProtocolMptcp = 262;
  const UniqueFd probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, kProtocolMptcp));
  SocketOptions options;
  options.multipath = true;
  const UniqueFd fd = OpenOrFail(options, "127.0.0.1:1");
  EXPECT_EQ(GetInt(fd, SOL_SOCKET, SO_PROTOCOL), probe.valid() ? kProtocolMptcp : IPPROTO_TCP);
  EXPECT_EQ(GetInt(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
}

TEST(DialSocketTest, NoDescriptorLeftNamesTheLimit) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  // The lowest free descriptor; as the limit, it leaves none.
  const int lowest = dup(0);
  ASSERT_GE(lowest, 0);
  close(lowest);
  rlimit none = before;
  none.rlim_cur = lowest;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::Status status = OpenError(SocketOptions(), "127.0.0.1:1");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(DialResultOf(status), DialResult::kLocalLimit);
  EXPECT_EQ(status.message(),
            "127.0.0.1:1: socket: Too many open files (errno 24); RLIMIT_NOFILE is " +
                std::to_string(lowest) + ": raise it, or lower the number of connections");
}

TEST(DialSocketTest, NothingLeaksWhenAnOptionFails) {
  SocketOptions options;
  options.congestion_control = "no-such-cc";
  options.multipath = true;
  const int before = OpenFds();
  EXPECT_FALSE(OpenError(options, "127.0.0.1:1").ok());
  EXPECT_EQ(OpenFds(), before);
}

TEST(DialSocketTest, WhatErrnoMeans) {
  const struct {
    const char* peer;
    int error;
    DialResult result;
    const char* text;
  } cases[] = {
      {"127.0.0.1:1", ECONNREFUSED, DialResult::kRefused, "Connection refused (errno 111)"},
      {"127.0.0.1:1", ENETUNREACH, DialResult::kUnreachable, "Network is unreachable"},
      {"127.0.0.1:1", EHOSTUNREACH, DialResult::kUnreachable, "No route to host"},
      {"unix:/a", ENOENT, DialResult::kUnreachable, "No such file or directory"},
      {"[::1]:1", EAFNOSUPPORT, DialResult::kUnreachable, "Address family not supported"},
      {"[::1]:1", EADDRNOTAVAIL, DialResult::kUnreachable, "no IPv6 address to dial from"},
      {"127.0.0.1:1", EADDRNOTAVAIL, DialResult::kLocalLimit, "net.ipv4.ip_local_port_range"},
      {"127.0.0.1:1", ETIMEDOUT, DialResult::kTimeout, "Connection timed out"},
      {"127.0.0.1:1", EMFILE, DialResult::kLocalLimit, "RLIMIT_NOFILE is "},
      {"127.0.0.1:1", ENFILE, DialResult::kLocalLimit, "fs.file-max"},
      {"127.0.0.1:1", ENOMEM, DialResult::kLocalLimit, "Cannot allocate memory"},
      {"127.0.0.1:1", ENOBUFS, DialResult::kLocalLimit, "No buffer space available"},
      {"127.0.0.1:1", EAGAIN, DialResult::kLocalLimit, "Resource temporarily unavailable"},
      {"unix:/a", EACCES, DialResult::kError, "Permission denied"},
      {"127.0.0.1:1", ECONNRESET, DialResult::kError, "Connection reset by peer"},
  };
  for (const auto& c : cases) {
    const absl::Status status = DialErrnoError(*Address::Parse(c.peer), "connect", c.error);
    EXPECT_EQ(DialResultOf(status), c.result) << c.text;
    EXPECT_THAT(std::string(status.message()),
                AllOf(StartsWith(std::string(c.peer) + ": connect: "), HasSubstr(c.text)));
  }
}

}  // namespace
}  // namespace predial
