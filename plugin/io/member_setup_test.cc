#include "plugin/io/member_setup.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "examples/echo/echo_server_lib.h"
#include "grpcpp/client_context.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/dialer.h"
#include "plugin/io/epoll_loop.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/grpc_poller.h"
#include "plugin/io/health_test_util.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/socket_pool.h"
#include "plugin/io/unique_fd.h"
#include "plugin/testing/fake_dialer.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using std::chrono::milliseconds;

// Dials over the loopback, at once.
class LoopbackDialer : public Dialer {
 public:
  std::unique_ptr<PendingDial> Dial(EventLoop& loop, const std::vector<Address>& addresses,
                                    Done done) override {
    return std::make_unique<Pending>(loop, addresses.at(0), std::move(done));
  }

 private:
  class Pending : public PendingDial {
   public:
    Pending(EventLoop& loop, const Address& peer, Done done) : loop_(loop) {
      timer_ = loop_.RunAt(loop_.Now(), [peer, done = std::move(done)]() mutable {
        done(DialedSocket{ConnectTo(peer), peer});
      });
    }
    ~Pending() override { loop_.Cancel(timer_); }

   private:
    EventLoop& loop_;
    EventLoop::TimerId timer_;
  };
};

// Between a client and a server: keeps what the server says until the client has spoken, as servers
// do that wait for the client's preface.
class ShyRelay {
 public:
  explicit ShyRelay(const Address& server) : server_(ConnectTo(server)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~ShyRelay() {
    shutdown(listener_.get(), SHUT_RDWR);
    shutdown(server_.get(), SHUT_RDWR);
    thread_.join();
  }
  Address address() const { return LocalAddress(listener_.get()); }

 private:
  void Run() {
    client_.Reset(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client_.valid() || !WaitFor(client_.get(), POLLIN)) return;
    for (;;) {
      pollfd fds[] = {{client_.get(), POLLIN, 0}, {server_.get(), POLLIN, 0}};
      if (poll(fds, 2, milliseconds(kTestPatience).count()) <= 0) return;
      if (fds[0].revents != 0 && !Pass(client_.get(), server_.get())) return;
      if (fds[1].revents != 0 && !Pass(server_.get(), client_.get())) return;
    }
  }
  static bool Pass(int from, int to) {
    char bytes[4096];
    const ssize_t count = recv(from, bytes, sizeof(bytes), MSG_DONTWAIT);
    return count > 0 && send(to, bytes, count, MSG_NOSIGNAL) == count;
  }

  const UniqueFd listener_ = ListenOn("127.0.0.1:0");
  const UniqueFd server_;
  UniqueFd client_;
  std::thread thread_;
};

class MemberSetupTest : public testing::Test {
 protected:
  MemberSetupTest() {
    options_.endpoint = "the endpoint";
    options_.settings_wait = kTestPatience;
    options_.health_timeout = kTestPatience;
    options_.wrap = [this](DialedSocket* socket) {
      wrapped_.Put(true);
      return MemberSetup::Wrapped{CreateMemberChannel(std::move(socket->fd), {}, {})};
    };
  }
  ~MemberSetupTest() override { Stop(); }

  void Start(const Address& server,
             std::shared_ptr<Dialer> dialer = std::make_shared<LoopbackDialer>()) {
    RunInLoop(loop_, [&] {
      SocketPoolOptions sockets;
      sockets.addresses = {server};
      sockets.dialer = std::move(dialer);
      sockets_ = std::make_unique<SocketPool>(loop_, std::move(sockets));
      setup_ = std::make_unique<MemberSetup>(
          loop_, poller_, sockets_.get(), options_, [this] { closed_.Put(true); },
          [this](absl::StatusOr<ReadyMember> ready) {
            setup_.reset();  // as a caller may
            if (ready.ok()) member_ = *std::move(ready);
            done_.Put(ready.status());
          });
    });
  }
  void Cancel() {
    RunInLoop(loop_, [this] { setup_.reset(); });
  }
  void Stop() {
    RunInLoop(loop_, [this] {
      setup_.reset();
      member_ = ReadyMember();
      sockets_.reset();
    });
  }
  absl::Status TakeDone() { return done_.Take(); }
  bool WasWrapped() { return !wrapped_.empty(); }

  grpc::Status Echo() {
    const auto stub = echo::v1::Echo::NewStub(member_.channel);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kTestPatience);
    echo::v1::EchoResponse response;
    return stub->Unary(&context, {}, &response);
  }

  EpollLoop loop_;
  GrpcPoller poller_;
  MemberSetup::Options options_;
  std::unique_ptr<SocketPool> sockets_;
  std::unique_ptr<MemberSetup> setup_;
  ReadyMember member_;
  Mailbox<bool> wrapped_;
  Box<absl::Status> done_;  // a second value fails the test
  Box<bool> closed_;
};

TEST_F(MemberSetupTest, AServerThatShowsItsSettingsIsReadyWithoutAnRpc) {
  EchoServerOptions options;
  options.max_concurrent_streams = 77;
  options.health = false;
  const auto server = StartEchoServer(options);
  Start(AddressOf(*server));
  const absl::Status status = TakeDone();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(member_.stream_limit, 77u);
  EXPECT_TRUE(Echo().ok());
  EXPECT_EQ(server->rpcs(), 1);
  Stop();
}

TEST_F(MemberSetupTest, WithoutALimitTheStreamLimitIsZero) {
  ByteServer server(kServerPreface, "");
  Start(server.address());
  ASSERT_TRUE(TakeDone().ok());
  EXPECT_EQ(member_.stream_limit, 0u);
  Stop();
}

TEST_F(MemberSetupTest, AServerThatWaitsForTheClientIsAsked) {
  const auto server = StartEchoServer();
  const ShyRelay relay(AddressOf(*server));
  options_.settings_wait = milliseconds(20);
  Start(relay.address());
  const absl::Status status = TakeDone();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(Echo().ok());
  Stop();
}

TEST_F(MemberSetupTest, AServerThatIsAskedNeedsNoHealthService) {
  EchoServerOptions options;
  options.health = false;
  const auto server = StartEchoServer(options);
  const ShyRelay relay(AddressOf(*server));
  options_.settings_wait = Duration::zero();
  Start(relay.address());
  const absl::Status status = TakeDone();
  EXPECT_TRUE(status.ok()) << status;
  Stop();
}

TEST_F(MemberSetupTest, AServerThatIsAskedAndDoesNotServeIsNotReady) {
  const auto server = StartEchoServer();
  server->SetServing(false);
  const ShyRelay relay(AddressOf(*server));
  options_.settings_wait = milliseconds(20);
  Start(relay.address());
  EXPECT_FALSE(TakeDone().ok());
}

TEST_F(MemberSetupTest, AServerThatNeverSpeaksIsNone) {
  ByteServer server("", "");
  options_.settings_wait = milliseconds(20);
  options_.health_timeout = milliseconds(20);
  Start(server.address());
  const absl::Status status = TakeDone();
  EXPECT_EQ(DialResultOf(status), DialResult::kNotHttp2) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "the endpoint")) << status;
}

TEST_F(MemberSetupTest, AServerOfAnotherProtocolIsNeverWrapped) {
  ByteServer server("220 mail.example ESMTP\r\n", "");
  Start(server.address());
  const absl::Status status = TakeDone();
  EXPECT_EQ(DialResultOf(status), DialResult::kNotHttp2) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "220 mail.example")) << status;
  EXPECT_FALSE(WasWrapped());
}

TEST_F(MemberSetupTest, AServerOfHttp1IsNone) {
  ByteServer server("", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
                    /*close_then=*/true);
  options_.settings_wait = milliseconds(20);
  Start(server.address());
  const absl::Status status = TakeDone();
  EXPECT_EQ(DialResultOf(status), DialResult::kNotHttp2) << status;
}

TEST_F(MemberSetupTest, AServerOfHttp1ThatKeepsTheConnectionIsNone) {
  ByteServer server("", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  options_.settings_wait = milliseconds(20);
  Start(server.address());
  const absl::Status status = TakeDone();
  EXPECT_EQ(DialResultOf(status), DialResult::kNotHttp2) << status;
}

TEST_F(MemberSetupTest, AServerThatHangsUpIsNone) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  std::thread server([&] { UniqueFd(accept(listener.get(), nullptr, nullptr)).Reset(); });
  Start(LocalAddress(listener.get()));
  const absl::Status status = TakeDone();
  server.join();
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(WasWrapped());
  EXPECT_TRUE(absl::StrContains(status.message(), "the endpoint")) << status;
}

TEST_F(MemberSetupTest, AFailedDialIsTheDialersStatus) {
  const auto dialer = std::make_shared<FakeDialer>();
  dialer->Otherwise(DialResult::kUnreachable);
  Start(*Address::Parse("10.0.0.1:1"), dialer);
  const absl::Status status = TakeDone();
  EXPECT_EQ(DialResultOf(status), DialResult::kUnreachable) << status;
}

TEST_F(MemberSetupTest, ItsWatchTellsWhenTheConnectionClosesAfterwards) {
  auto server = StartEchoServer();
  Start(AddressOf(*server));
  ASSERT_TRUE(TakeDone().ok());
  server.reset();
  closed_.Take();
  Stop();
}

TEST_F(MemberSetupTest, TheMembersDescriptorsGoWithIt) {
  const auto server = StartEchoServer();
  const auto spoken = [&] {
    Start(AddressOf(*server));
    ASSERT_TRUE(TakeDone().ok());
    ASSERT_TRUE(Echo().ok());
    Stop();
  };
  spoken();  // what gRPC opens once
  // The server's ends, in this process too, go when it has read ours.
  const int before = OpenFds();
  for (int i = 0; i < 5; ++i) spoken();
  const auto deadline = std::chrono::steady_clock::now() + kTestPatience;
  while (OpenFds() > before && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_LE(OpenFds(), before);
}

TEST_F(MemberSetupTest, DestroyedWhileItDials) {
  const auto dialer = std::make_shared<FakeDialer>();
  dialer->Otherwise(DialResult::kOk, FakeDialer::kNever);
  Start(*Address::Parse("10.0.0.1:1"), dialer);
  Cancel();
  RunInLoop(loop_, [&] { EXPECT_EQ(dialer->cancelled(), 1); });
}

TEST_F(MemberSetupTest, DestroyedWhileItWaitsForSettings) {
  const auto dialer = std::make_shared<FakeDialer>();
  Start(*Address::Parse("10.0.0.1:1"), dialer);
  RunInLoop(loop_, [] {});  // the dial is a timer that was due before this
  char byte;
  RunInLoop(loop_, [&] {
    EXPECT_TRUE(setup_->connected());
    EXPECT_EQ(recv(dialer->server_end(0).get(), &byte, 1, MSG_DONTWAIT), -1);
    setup_.reset();
    EXPECT_EQ(recv(dialer->server_end(0).get(), &byte, 1, MSG_DONTWAIT), 0);
  });
  EXPECT_FALSE(WasWrapped());
}

TEST_F(MemberSetupTest, DestroyedWhileItAsks) {
  ByteServer server("", "");
  options_.settings_wait = Duration::zero();
  Start(server.address());
  EXPECT_TRUE(wrapped_.Take());
  Cancel();
}

TEST_F(MemberSetupTest, DestroyedAtAnyTime) {
  const auto server = StartEchoServer();
  options_.settings_wait = Duration::zero();
  for (int i = 0; i < 50; ++i) {
    std::atomic<bool> destroyed{false};
    RunInLoop(loop_, [&] {
      SocketPoolOptions sockets;
      sockets.addresses = {AddressOf(*server)};
      sockets.dialer = std::make_shared<LoopbackDialer>();
      sockets_ = std::make_unique<SocketPool>(loop_, std::move(sockets));
      setup_ = std::make_unique<MemberSetup>(
          loop_, poller_, sockets_.get(), options_, [&] { EXPECT_FALSE(destroyed); },
          [&](absl::StatusOr<ReadyMember> ready) {
            EXPECT_FALSE(destroyed);
            EXPECT_TRUE(ready.ok()) << ready.status();
          });
    });
    for (int turn = 0; turn < i; ++turn) std::this_thread::yield();
    Stop();
    destroyed = true;
    RunInLoop(loop_, [] {});
  }
}

}  // namespace
}  // namespace predial
