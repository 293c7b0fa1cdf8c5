#include "plugin/io/socket_adoption.h"

#include <fcntl.h>
#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "plugin/io/address.h"
#include "plugin/io/adoption_self_test.h"
#include "plugin/io/grpc_socket_mutator.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/peer_server.h"

namespace predial {
namespace {

class SocketAdoptionTest : public ::testing::Test {
 protected:
  // A channel with the adoption's arguments, and no others that matter.
  std::shared_ptr<grpc::Channel> Channel(SocketAdoption& adoption, const std::string& target) {
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    EXPECT_TRUE(adoption.AddTo(args));
    return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), args);
  }

  void ExpectCounters(int adopted, int dialed) const {
    EXPECT_EQ(counters_->adopted, adopted);
    EXPECT_EQ(counters_->dialed, dialed);
  }

  // One connection to `address`, through a socket of `protocol`.
  void ExpectAdopted(const std::string& address, int protocol = 0) {
    PeerServer server(address);
    if (!server.listens()) GTEST_SKIP() << "no " << address << " on this host";
    const Address peer = *Address::Parse(server.address());
    UniqueFd socket = DialWithoutBlocking(peer, protocol);
    if (!socket.valid()) GTEST_SKIP() << "no such protocol on this host";
    const std::string name = NameOf(socket);
    SocketAdoption adoption(counters_);
    adoption.Offer(std::move(socket));
    const auto channel = Channel(adoption, peer.ToGrpcTarget());
    EXPECT_EQ(PeerOf(channel), name);
    ExpectCounters(1, 0);
    EXPECT_FALSE(adoption.Withdraw().valid());
  }

  // `socket` is not taken, and the RPC goes through a connection of gRPC's own.
  void ExpectDialed(UniqueFd socket, const std::string& target) {
    SocketAdoption adoption(counters_);
    adoption.Offer(std::move(socket));
    const auto channel = Channel(adoption, target);
    EXPECT_FALSE(absl::StartsWith(PeerOf(channel), "failed"));
    ExpectCounters(0, 1);
    EXPECT_FALSE(adoption.Withdraw().valid());
  }

  const std::shared_ptr<AdoptionCounters> counters_ = std::make_shared<AdoptionCounters>();
};

TEST_F(SocketAdoptionTest, IsAvailable) {
  EXPECT_TRUE(SocketAdoption::Available().ok()) << SocketAdoption::Available();
}

TEST_F(SocketAdoptionTest, AdoptsIpv4) { ExpectAdopted("127.0.0.1:0"); }

TEST_F(SocketAdoptionTest, AdoptsIpv6) { ExpectAdopted("[::1]:0"); }

TEST_F(SocketAdoptionTest, AdoptsMultipathTcp) { ExpectAdopted("127.0.0.1:0", IPPROTO_MPTCP); }

TEST_F(SocketAdoptionTest, AdoptsForEachConnection) {
  auto server = std::make_unique<PeerServer>("127.0.0.1:0");
  const std::string address = server->address();
  const Address peer = *Address::Parse(address);
  SocketAdoption adoption(counters_);
  UniqueFd first = DialWithoutBlocking(peer);
  const std::string first_name = NameOf(first);
  adoption.Offer(std::move(first));
  const auto channel = Channel(adoption, peer.ToGrpcTarget());
  EXPECT_EQ(PeerOf(channel), first_name);

  server.reset();
  server = std::make_unique<PeerServer>(address);
  UniqueFd second = DialWithoutBlocking(peer);
  const std::string second_name = NameOf(second);
  adoption.Offer(std::move(second));
  EXPECT_EQ(PeerOf(channel, /*wait_for_ready=*/true), second_name);
  EXPECT_EQ(counters_->adopted, 2);
}

// gRPC's options went to the socket that was replaced, close-on-exec with it: that one is the
// descriptor's.
TEST_F(SocketAdoptionTest, KeepsTheOptionsOfTheSocketAndIsNotInherited) {
  PeerServer server("127.0.0.1:0");
  const Address peer = *Address::Parse(server.address());
  UniqueFd socket = DialWithoutBlocking(peer);
  ASSERT_EQ(fcntl(socket.get(), F_SETFL, 0), 0);  // has it block, which gRPC must not
  const int timeout_ms = 12345;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
  const UniqueFd ours(fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
  SocketAdoption adoption(counters_);
  adoption.Offer(std::move(socket));
  const auto channel = Channel(adoption, peer.ToGrpcTarget());
  EXPECT_EQ(PeerOf(channel), NameOf(ours));

  int value = -1;
  socklen_t size = sizeof(value);
  getsockopt(ours.get(), IPPROTO_TCP, TCP_NODELAY, &value, &size);
  EXPECT_EQ(value, 0);
  getsockopt(ours.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size);
  EXPECT_EQ(value, timeout_ms);
  EXPECT_NE(fcntl(ours.get(), F_GETFL) & O_NONBLOCK, 0);
  struct stat wanted;
  ASSERT_EQ(fstat(ours.get(), &wanted), 0);
  int found = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    struct stat seen;
    if (fd == ours.get() || fstat(fd, &seen) != 0 || seen.st_ino != wanted.st_ino) continue;
    ++found;
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(found, 1) << "gRPC's descriptor, and no other";
}

TEST_F(SocketAdoptionTest, GrpcDialsWhenNothingIsOffered) {
  PeerServer server("127.0.0.1:0");
  ExpectDialed(UniqueFd(), Address::Parse(server.address())->ToGrpcTarget());
}

TEST_F(SocketAdoptionTest, GrpcDialsInsteadOfADeadSocket) {
  PeerServer server("127.0.0.1:0");
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  UniqueFd dead = DialWithoutBlocking(LocalAddress(listener.get()));
  UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(WaitFor(dead.get(), POLLRDHUP));
  ExpectDialed(std::move(dead), Address::Parse(server.address())->ToGrpcTarget());
}

TEST_F(SocketAdoptionTest, GrpcDialsInsteadOfASocketThatIsStillConnecting) {
  PeerServer server("127.0.0.1:0");
  FullListener full("127.0.0.1:0");
  const Address peer = full.address();
  UniqueFd fd(socket(peer.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  EXPECT_NE(connect(fd.get(), peer.sockaddr_ptr(), peer.size()), 0);
  ExpectDialed(std::move(fd), Address::Parse(server.address())->ToGrpcTarget());
}

// connect() on a connected unix socket always says EISCONN.
TEST_F(SocketAdoptionTest, GrpcDialsUnixSockets) {
  char directory[] = "/tmp/predial-test-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string target = absl::StrCat("unix:", directory, "/s");
  {
    PeerServer server(target);
    ASSERT_TRUE(server.listens());
    const Address peer = *Address::Parse(target);
    ExpectDialed(ConnectTo(peer), target);
    EXPECT_EQ(SocketAdoption::TryLike(ConnectTo(peer)).message(), "not a TCP socket");
  }
  rmdir(directory);
}

// There is no telling in advance: hence TryLike(). gRPC's connect() says EISCONN then, and it dials
// by itself a second later.
TEST_F(SocketAdoptionTest, ASocketWhoseConnectBlockedCostsOneBackoff) {
  PeerServer server("127.0.0.1:0");
  const Address peer = *Address::Parse(server.address());
  EXPECT_TRUE(absl::StrContains(SocketAdoption::TryLike(ConnectTo(peer)).message(), "blocked"));
  SocketAdoption adoption(counters_);
  adoption.Offer(ConnectTo(peer));
  const auto channel = Channel(adoption, peer.ToGrpcTarget());
  EXPECT_FALSE(absl::StartsWith(PeerOf(channel, /*wait_for_ready=*/true), "failed"));
  ExpectCounters(1, 1);
}

TEST_F(SocketAdoptionTest, TryLikeKnowsOurDialersSockets) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  const Address peer = LocalAddress(listener.get());
  EXPECT_TRUE(SocketAdoption::TryLike(DialWithoutBlocking(peer)).ok());
  UniqueFd asked_again = DialWithoutBlocking(peer);
  ASSERT_EQ(connect(asked_again.get(), peer.sockaddr_ptr(), peer.size()), 0);
  EXPECT_FALSE(SocketAdoption::TryLike(std::move(asked_again)).ok());
}

TEST_F(SocketAdoptionTest, ClosesWhatIsNotTaken) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  const Address peer = LocalAddress(listener.get());
  ASSERT_TRUE(SocketAdoption::Available().ok());  // opens descriptors of gRPC's
  const int before = OpenFds();
  {
    grpc::ChannelArguments args;
    SocketAdoption adoption(counters_);
    ASSERT_TRUE(adoption.AddTo(args));
    adoption.Offer(DialWithoutBlocking(peer));
    adoption.Offer(DialWithoutBlocking(peer));  // instead
    EXPECT_EQ(OpenFds(), before + 1);
    const UniqueFd back = adoption.Withdraw();
    EXPECT_TRUE(back.valid());
    EXPECT_FALSE(adoption.Withdraw().valid());
    adoption.Offer(DialWithoutBlocking(peer));
    EXPECT_EQ(OpenFds(), before + 2);
  }
  EXPECT_EQ(OpenFds(), before);
  ExpectCounters(0, 0);
}

TEST_F(SocketAdoptionTest, TheChannelMayOutliveIt) {
  PeerServer server("127.0.0.1:0");
  const Address peer = *Address::Parse(server.address());
  auto adoption = std::make_unique<SocketAdoption>(counters_);
  UniqueFd socket = DialWithoutBlocking(peer);
  const std::string name = NameOf(socket);
  adoption->Offer(std::move(socket));
  const auto channel = Channel(*adoption, peer.ToGrpcTarget());
  adoption.reset();
  EXPECT_EQ(PeerOf(channel), name);
}

TEST_F(SocketAdoptionTest, LeavesAUsersMutatorAlone) {
  struct Users : GrpcSocketMutator {};
  static constexpr GrpcSocketMutatorVtable kVtable = {
      [](int, grpc_socket_mutator*) { return true; },
      [](grpc_socket_mutator* a, grpc_socket_mutator* b) { return a < b ? -1 : 1; },
      [](grpc_socket_mutator* mutator) { delete reinterpret_cast<Users*>(mutator); }, nullptr};
  auto* const users = new Users;
  users->vtable = &kVtable;
  gpr_ref_init(&users->refcount, 1);
  grpc::ChannelArguments args;
  args.SetSocketMutator(reinterpret_cast<grpc_socket_mutator*>(users));
  SocketAdoption adoption(counters_);
  EXPECT_FALSE(adoption.AddTo(args));
}

TEST_F(SocketAdoptionTest, WithoutTheSelfTestEveryChannelDials) {
  SocketAdoption::FailSelfTestForTesting(true);
  PeerServer server("127.0.0.1:0");
  const Address peer = *Address::Parse(server.address());
  EXPECT_FALSE(SocketAdoption::Available().ok());
  grpc::ChannelArguments args;
  SocketAdoption adoption(counters_);
  EXPECT_FALSE(adoption.AddTo(args));
  EXPECT_EQ(args.c_channel_args().num_args, grpc::ChannelArguments().c_channel_args().num_args);
  adoption.Offer(DialWithoutBlocking(peer));
  const auto channel =
      grpc::CreateCustomChannel(peer.ToGrpcTarget(), grpc::InsecureChannelCredentials(), args);
  EXPECT_FALSE(absl::StartsWith(PeerOf(channel), "failed"));
  ExpectCounters(0, 0);
  SocketAdoption::FailSelfTestForTesting(false);
  EXPECT_TRUE(SocketAdoption::Available().ok());
}

TEST_F(SocketAdoptionTest, AnotherVersionOfGrpcIsNotTried) {
  EXPECT_TRUE(CheckMutatorMirror("1.51.1").ok());
  const absl::Status status = CheckMutatorMirror("1.52.0");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::StrContains(status.message(), "1.52.0")) << status;
}

// Offers, withdrawals and connections of many channels at once; each socket has one owner.
TEST_F(SocketAdoptionTest, IsThreadSafe) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 10;
  PeerServer server("127.0.0.1:0");
  const Address peer = *Address::Parse(server.address());
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        SocketAdoption adoption(counters_);
        std::thread offers([&] {
          adoption.Offer(DialWithoutBlocking(peer));
          if (UniqueFd back = adoption.Withdraw(); back.valid()) adoption.Offer(std::move(back));
        });
        const auto channel = Channel(adoption, peer.ToGrpcTarget());
        EXPECT_FALSE(absl::StartsWith(PeerOf(channel), "failed"));
        offers.join();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counters_->adopted + counters_->dialed, kThreads * kRounds);
}

}  // namespace
}  // namespace predial
