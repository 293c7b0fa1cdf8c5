#include "plugin/io/tcp_dialer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugin/io/epoll_loop.h"
#include "plugin/io/io_test_util.h"
#include "plugin/testing/manual_loop.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using Result = absl::StatusOr<DialedSocket>;

// Dials on a real loop and waits for the outcome.
Result Dial(SocketOptions options, const std::vector<Address>& addresses) {
  EXPECT_EQ(options.Validate(), absl::OkStatus());
  const auto dialer = CreateTcpDialer(options);
  Box<Result> box;
  EpollLoop loop;
  std::unique_ptr<PendingDial> pending;
  bool inside = true;
  RunInLoop(loop, [&] {
    pending = dialer->Dial(loop, addresses, [&](Result result) {
      EXPECT_FALSE(inside);
      EXPECT_TRUE(loop.InLoop());
      box.Put(std::move(result));
    });
    inside = false;
  });
  Result result = box.Take();
  RunInLoop(loop, [&] { pending.reset(); });
  return result;
}

// A dial on a loop whose time the test moves.
struct ManualDial {
  ManualDial(SocketOptions options, const std::vector<Address>& addresses) {
    pending = CreateTcpDialer(options)->Dial(loop, addresses, [this](Result r) {
      EXPECT_FALSE(result.has_value()) << "a second result";
      result.emplace(std::move(r));
    });
    EXPECT_FALSE(result.has_value()) << "from within Dial()";
  }
  DialResult dial_result() const { return DialResultOf(result->status()); }
  std::string message() const { return std::string(result->status().message()); }

  ManualLoop loop;
  std::optional<Result> result;
  std::unique_ptr<PendingDial> pending;
};

// A directory for unix sockets, emptied and removed at the end.
class TempDirectory {
 public:
  TempDirectory() {
    char path[] = "/tmp/predial-test-XXXXXX";
    EXPECT_NE(mkdtemp(path), nullptr);
    path_ = path;
  }
  ~TempDirectory() {
    unlink((path_ + "/socket").c_str());
    rmdir(path_.c_str());
  }
  std::string socket_address() const { return "unix:" + path_ + "/socket"; }

 private:
  std::string path_;
};

void ExpectConnected(const Result& result, const UniqueFd& listener) {
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->peer, LocalAddress(listener.get()));
  EXPECT_NE(fcntl(result->fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(result->fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  const UniqueFd accepted(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted.valid());
  ASSERT_EQ(write(result->fd.get(), "x", 1), 1);
  char byte = 0;
  ASSERT_EQ(read(accepted.get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
}

TEST(TcpDialerTest, Ipv4) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  ExpectConnected(Dial({}, {LocalAddress(listener.get())}), listener);
}

TEST(TcpDialerTest, Ipv6) {
  const UniqueFd listener = ListenOn("[::1]:0");
  if (!listener.valid()) GTEST_SKIP() << "no IPv6 on this host";
  ExpectConnected(Dial({}, {LocalAddress(listener.get())}), listener);
}

TEST(TcpDialerTest, Unix) {
  const TempDirectory directory;
  const UniqueFd listener = ListenOn(directory.socket_address());
  ExpectConnected(Dial({}, {LocalAddress(listener.get())}), listener);
}

TEST(TcpDialerTest, UnixAbstract) {
  // The kernel chooses a free name for a bare family.
  const sockaddr any_name = {AF_UNIX, {}};
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(listener.get(), &any_name, sizeof(sa_family_t)), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  EXPECT_EQ(LocalAddress(listener.get()).ToString().rfind("unix-abstract:", 0), 0u);
  ExpectConnected(Dial({}, {LocalAddress(listener.get())}), listener);
}

TEST(TcpDialerTest, OptionsArriveAndSurviveConnecting) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  SocketOptions options;
  options.source_address = "127.0.0.2";
  options.congestion_control = "reno";
  Result result = Dial(options, {LocalAddress(listener.get())});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(LocalAddress(result->fd.get()).ToString(), MatchesRegex("127.0.0.2:[1-9][0-9]*"));
  char congestion[16] = {};
  socklen_t size = sizeof(congestion);
  ASSERT_EQ(getsockopt(result->fd.get(), IPPROTO_TCP, TCP_CONGESTION, congestion, &size), 0);
  EXPECT_STREQ(congestion, "reno");
}

TEST(TcpDialerTest, MultipathFallsBackForAPlainPeer) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  SocketOptions options;
  options.multipath = true;
  ExpectConnected(Dial(options, {LocalAddress(listener.get())}), listener);
}

TEST(TcpDialerTest, ManyAtATime) {
  const UniqueFd listener = ListenOn("127.0.0.1:0", 64);
  const auto dialer = CreateTcpDialer({});
  constexpr int kDials = 50;
  Box<Result> boxes[kDials];
  std::vector<std::unique_ptr<PendingDial>> pending;
  EpollLoop loop;
  RunInLoop(loop, [&] {
    for (auto& box : boxes) {
      pending.push_back(dialer->Dial(loop, {LocalAddress(listener.get())},
                                     [&](Result result) { box.Put(std::move(result)); }));
    }
  });
  for (auto& box : boxes) EXPECT_TRUE(box.Take().ok());
  RunInLoop(loop, [&] { pending.clear(); });
}

TEST(TcpDialerTest, Refused) {
  const UniqueFd bound = BindSocket("127.0.0.1:0");
  const Address address = LocalAddress(bound.get());
  const Result result = Dial({}, {address});
  EXPECT_EQ(DialResultOf(result.status()), DialResult::kRefused);
  EXPECT_EQ(result.status().message(),
            address.ToString() + ": connect: Connection refused (errno 111)");
}

TEST(TcpDialerTest, UnixPathMissing) {
  const TempDirectory directory;
  const Result result = Dial({}, {*Address::Parse(directory.socket_address())});
  EXPECT_EQ(DialResultOf(result.status()), DialResult::kUnreachable);
  EXPECT_EQ(result.status().message(),
            directory.socket_address() + ": connect: No such file or directory (errno 2)");
}

TEST(TcpDialerTest, NoAddress) {
  const Result result = Dial({}, {});
  EXPECT_EQ(DialResultOf(result.status()), DialResult::kError);
  EXPECT_EQ(result.status().message(), "no address to dial");
}

TEST(TcpDialerTest, BadCongestionControl) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  SocketOptions options;
  options.congestion_control = "no-such-cc";
  const Result result = Dial(options, {LocalAddress(listener.get())});
  EXPECT_EQ(DialResultOf(result.status()), DialResult::kError);
  EXPECT_THAT(result.status().message(), HasSubstr("congestion_control \"no-such-cc\""));
}

TEST(TcpDialerTest, SourceOfTheOtherFamily) {
  SocketOptions options;
  options.source_address = "::1";
  const Result result = Dial(options, {*Address::Parse("127.0.0.1:1")});
  EXPECT_EQ(DialResultOf(result.status()), DialResult::kUnreachable);
  EXPECT_EQ(result.status().message(),
            "127.0.0.1:1: not tried: not of the family of source_address ::1");
}

TEST(TcpDialerTest, TheAddressesOfTheSourcesFamilyAreTried) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  SocketOptions options;
  options.source_address = "127.0.0.1";
  ExpectConnected(Dial(options, {*Address::Parse("[::1]:1"), LocalAddress(listener.get())}),
                  listener);
}

TEST(TcpDialerTest, ARefusalStartsTheNextAtOnce) {
  const UniqueFd bound = BindSocket("127.0.0.1:0");
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  SocketOptions options;
  options.attempt_delay = absl::Seconds(2);
  const absl::Time start = absl::Now();
  ExpectConnected(Dial(options, {LocalAddress(bound.get()), LocalAddress(listener.get())}),
                  listener);
  EXPECT_LT(absl::Now() - start, absl::Seconds(2));
}

TEST(TcpDialerTest, ASilentAddressLosesTheRace) {
  const FullListener silent("127.0.0.1:0");
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  SocketOptions options;
  options.attempt_delay = absl::Milliseconds(10);
  const int before = OpenFds();
  {
    const Result result = Dial(options, {silent.address(), LocalAddress(listener.get())});
    ExpectConnected(result, listener);
    EXPECT_EQ(OpenFds(), before + 1);
  }
  EXPECT_EQ(OpenFds(), before);
}

TEST(TcpDialerTest, EveryCauseIsNamed) {
  const UniqueFd first = BindSocket("127.0.0.1:0");
  const UniqueFd second = BindSocket("127.0.0.1:0");
  const Address missing = *Address::Parse("unix:/no/such/path");
  const Result result = Dial({}, {LocalAddress(first.get()), missing, LocalAddress(second.get())});
  EXPECT_EQ(DialResultOf(result.status()), DialResult::kRefused);
  EXPECT_EQ(result.status().message(),
            LocalAddress(first.get()).ToString() + ": connect: Connection refused (errno 111); " +
                "unix:/no/such/path: connect: No such file or directory (errno 2); " +
                LocalAddress(second.get()).ToString() +
                ": connect: Connection refused (errno 111)");
}

TEST(TcpDialerTest, TimesOut) {
  const FullListener silent("127.0.0.1:0");
  SocketOptions options;
  options.connect_timeout = absl::Milliseconds(20);
  const int before = OpenFds();
  const Result result = Dial(options, {silent.address()});
  EXPECT_EQ(DialResultOf(result.status()), DialResult::kTimeout);
  EXPECT_EQ(result.status().message(),
            silent.address().ToString() + ": no answer within the connect_timeout of 20ms");
  EXPECT_EQ(OpenFds(), before);
}

TEST(TcpDialerTest, TheTimesOfTheRace) {
  const FullListener silent("127.0.0.1:0");
  const Address address = silent.address();
  SocketOptions options;
  options.attempt_delay = absl::Milliseconds(250);
  options.connect_timeout = absl::Milliseconds(600);
  const int before = OpenFds();
  ManualDial dial(options, {address, address, address, address});
  EXPECT_EQ(dial.loop.watches(), 1u);
  dial.loop.RunFor(milliseconds(249));
  EXPECT_EQ(dial.loop.watches(), 1u);
  dial.loop.RunFor(milliseconds(1));
  EXPECT_EQ(dial.loop.watches(), 2u);
  dial.loop.RunFor(milliseconds(250));
  EXPECT_EQ(dial.loop.watches(), 3u);
  dial.loop.RunFor(milliseconds(99));
  EXPECT_FALSE(dial.result.has_value());
  dial.loop.RunFor(milliseconds(1));
  ASSERT_TRUE(dial.result.has_value());
  EXPECT_EQ(dial.dial_result(), DialResult::kTimeout);
  EXPECT_THAT(dial.message(), AllOf(HasSubstr("; "), HasSubstr(": no answer within"),
                                    HasSubstr(": not tried within the connect_timeout of 600ms")));
  EXPECT_EQ(dial.loop.watches(), 0u);
  EXPECT_FALSE(dial.loop.has_timers());
  EXPECT_EQ(OpenFds(), before);
}

TEST(TcpDialerTest, CancellingLeavesNothingBehind) {
  const FullListener silent("127.0.0.1:0");
  const UniqueFd bound = BindSocket("127.0.0.1:0");
  const TempDirectory directory;
  const FullListener silent_unix(directory.socket_address());
  const std::vector<Address> dials[] = {
      {silent.address(), silent.address()},     // a watch, and timers
      {silent_unix.address()},                  // a retry
      {*Address::Parse("unix:/no/such/path")},  // an end that is about to be reported
      {LocalAddress(bound.get())},
      {},
  };
  for (const auto& addresses : dials) {
    const int before = OpenFds();
    ManualDial dial({}, addresses);
    dial.pending.reset();
    EXPECT_EQ(dial.loop.watches(), 0u);
    EXPECT_FALSE(dial.loop.has_timers());
    EXPECT_EQ(OpenFds(), before);
    dial.loop.RunFor(std::chrono::seconds(10));
    EXPECT_FALSE(dial.result.has_value());
  }
}

TEST(TcpDialerTest, MayBeCancelledFromWithinDone) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  const UniqueFd bound = BindSocket("127.0.0.1:0");
  for (int fd : {listener.get(), bound.get()}) {
    EpollLoop loop;
    Box<bool> box;
    std::unique_ptr<PendingDial> pending;
    RunInLoop(loop, [&] {
      pending = CreateTcpDialer({})->Dial(loop, {LocalAddress(fd)}, [&](Result result) {
        pending.reset();
        box.Put(result.ok());
      });
    });
    EXPECT_EQ(box.Take(), fd == listener.get());
  }
}

TEST(TcpDialerTest, AFullUnixBacklogIsTriedAgain) {
  const TempDirectory directory;
  FullListener listener(directory.socket_address());
  ManualDial dial({}, {listener.address()});
  dial.loop.RunFor(std::chrono::seconds(4));
  EXPECT_FALSE(dial.result.has_value());
  const UniqueFd accepted = listener.Accept();
  dial.loop.RunFor(milliseconds(50));
  ASSERT_TRUE(dial.result.has_value());
  EXPECT_TRUE(dial.result->ok()) << dial.result->status();
  EXPECT_FALSE(dial.loop.has_timers());
}

TEST(TcpDialerTest, AFullUnixBacklogTimesOut) {
  const TempDirectory directory;
  const FullListener listener(directory.socket_address());
  ManualDial dial({}, {listener.address()});
  dial.loop.RunFor(std::chrono::seconds(5));
  ASSERT_TRUE(dial.result.has_value());
  EXPECT_EQ(dial.dial_result(), DialResult::kTimeout);
  EXPECT_FALSE(dial.loop.has_timers());
}

}  // namespace
}  // namespace predial
