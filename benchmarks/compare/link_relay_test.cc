// LinkRelay: that bytes pass, when, and in whose order. Its connections' beginnings and ends are in
// link_relay_ends_test.cc. Times are compared with what they cannot be less than.
#include "benchmarks/compare/link_relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmarks/compare/link_relay_test_util.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr size_t kMiB = 1 << 20;

Duration TimeAt(int64_t rate, int64_t bytes) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(bytes * 8.0 / rate));
}

class LinkRelayTransferTest : public LinkRelayTest {
 protected:
  // Random bytes both ways over several connections at once.
  void RunTransfers(int connections, size_t bytes) {
    std::vector<Connected> connected;
    std::vector<Transfer> transfers;
    for (int i = 0; i < connections; ++i) {
      connected.push_back(Connect());
      const int client = connected.back().client.get();
      const int server = connected.back().server.get();
      transfers.push_back({client, server, RandomBytes(bytes, 2 * i)});
      transfers.push_back({server, client, RandomBytes(bytes, 2 * i + 1)});
    }
    ASSERT_NO_FATAL_FAILURE(Run(transfers));
    for (const Transfer& transfer : transfers) {
      EXPECT_TRUE(transfer.received == transfer.data);
    }
    const LinkRelay::Stats stats = relay_->stats();
    EXPECT_EQ(stats.accepted, connections);
    EXPECT_EQ(stats.open, connections);
    // Counted when they have been written.
    EXPECT_TRUE(Eventually([&] {
      const LinkRelay::Stats counted = relay_->stats();
      return counted.bytes_up == static_cast<int64_t>(connections * bytes) &&
             counted.bytes_down == static_cast<int64_t>(connections * bytes);
    }));
  }
};

TEST_F(LinkRelayTransferTest, PassesAllBytesInTheirOrder) {
  StartRelay(LinkOptions());
  RunTransfers(/*connections=*/5, 3 * kMiB);
  EXPECT_EQ(relay_->stats().stalls, 0);
}

TEST_F(LinkRelayTransferTest, PassesAllBytesInTheirOrderOverALongSlowLink) {
  LinkOptions options;
  options.delay = absl::Milliseconds(5);
  options.rate = 400'000'000;
  StartRelay(options);
  RunTransfers(/*connections=*/5, 2 * kMiB);
}

TEST_F(LinkRelayTransferTest, PassesAllBytesInTheirOrderInSpiteOfStalls) {
  LinkOptions options;
  options.delay = absl::Milliseconds(1);
  options.rate = 400'000'000;
  options.stall_every = absl::Milliseconds(5);
  options.stall_length = absl::Milliseconds(10);
  StartRelay(options);
  RunTransfers(/*connections=*/5, kMiB);
  EXPECT_GT(relay_->stats().stalls, 0);
}

TEST_F(LinkRelayTest, ADelayEachWay) {
  LinkOptions options;
  options.delay = absl::Milliseconds(20);
  StartRelay(options);
  const Connected connected = Connect();
  for (int i = 0; i < 3; ++i) {
    EXPECT_GE(Pass(connected.client, connected.server, "ping"), delay_);
    EXPECT_GE(Pass(connected.server, connected.client, "pong"), delay_);
  }
}

TEST_F(LinkRelayTest, ARateForAllConnectionsTogether) {
  LinkOptions options;
  options.rate = 100'000'000;
  StartRelay(options);
  const Connected one = Connect();
  const Connected two = Connect();
  const std::string data = RandomBytes(kMiB, 1);
  EXPECT_GE(Pass(one.client, one.server, data), TimeAt(options.rate, kMiB));
  EXPECT_GE(Pass(one.server, one.client, data), TimeAt(options.rate, kMiB));
  std::vector<Transfer> both = {{one.client.get(), one.server.get(), data},
                                {two.client.get(), two.server.get(), data}};
  const Time began = Clock::now();
  Run(both);
  EXPECT_GE(Clock::now() - began, TimeAt(options.rate, 2 * kMiB));
}

TEST_F(LinkRelayTest, ASmallMessageOvertakesABigTransferOfAnotherConnection) {
  LinkOptions options;
  options.delay = absl::Milliseconds(1);
  options.rate = 100'000'000;
  StartRelay(options);
  const Connected one = Connect();
  const Connected two = Connect();
  Transfer big = {one.client.get(), one.server.get(), RandomBytes(4 * kMiB, 1)};
  Transfer small = {two.client.get(), two.server.get(), std::string(128, 'x')};
  while (!small.done()) {
    // The big one is well under way, and its connection's buffers are full.
    const bool send_small = big.received.size() >= 256 << 10 && small.sent == 0;
    if (send_small) {
      ASSERT_TRUE(small.Send());
    }
    pollfd watched[] = {{small.to, POLLIN, 0}, {big.to, POLLIN, 0}, {big.from, POLLOUT, 0}};
    if (big.sent == big.data.size()) watched[2].fd = -1;
    ASSERT_GT(poll(watched, 3, Patience()), 0);
    if (watched[2].revents != 0) {
      ASSERT_TRUE(big.Send());
    }
    if (watched[0].revents != 0) {
      ASSERT_TRUE(small.Receive());
    } else if (watched[1].revents != 0) {
      ASSERT_TRUE(big.Receive());
    }
    ASSERT_FALSE(big.done());
  }
  EXPECT_LT(big.received.size(), big.data.size() / 2);
}

TEST_F(LinkRelayTest, AStallHoldsOneConnectionOnly) {
  LinkOptions options;
  options.handshake = false;
  options.stall_every = absl::Milliseconds(50);
  options.stall_length = absl::Seconds(60);  // beyond the end of this test
  options.seed = 92;                         // the first chunk is lost, the next ten are not
  StartRelay(options);
  const Connected stalled = Connect();
  const Connected other = Connect();
  ASSERT_EQ(send(stalled.client.get(), "x", 1, MSG_NOSIGNAL), 1);
  ASSERT_TRUE(Eventually([this] { return relay_->stats().stalls == 1; }));
  Pass(other.client, other.server, "passes");
  char byte;
  EXPECT_EQ(recv(stalled.server.get(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(relay_->stats().stalls, 1);
}

TEST_F(LinkRelayTest, AfterAStallTheConnectionGoesOn) {
  LinkOptions options;
  options.delay = absl::Milliseconds(1);
  options.handshake = false;
  options.stall_every = absl::Milliseconds(50);
  options.stall_length = absl::Milliseconds(100);
  options.seed = 92;
  StartRelay(options);
  const Connected connected = Connect();
  EXPECT_GE(Pass(connected.client, connected.server, "late"), delay_ + milliseconds(100));
  EXPECT_EQ(relay_->stats().stalls, 1);
  Pass(connected.client, connected.server, "and more");
}

// The sender is stopped, and nothing is lost when it may go on.
TEST_F(LinkRelayTest, AReaderThatDoesNotReadStopsItsSender) {
  StartRelay(LinkOptions());
  const Connected connected = Connect();
  Transfer transfer = {connected.client.get(), connected.server.get(), RandomBytes(32 * kMiB, 1)};
  constexpr int kStuckMilliseconds = 300;  // less than it takes only makes the test weaker
  pollfd writable = {transfer.from, POLLOUT, 0};
  while (transfer.sent < transfer.data.size() && poll(&writable, 1, kStuckMilliseconds) == 1) {
    ASSERT_TRUE(transfer.Send());
  }
  EXPECT_LT(transfer.sent, transfer.data.size());
  EXPECT_GT(transfer.sent, 0u);
  // What is sent while it reads stays what it was.
  std::vector<Transfer> transfers = {std::move(transfer)};
  Run(transfers);
  EXPECT_TRUE(transfers[0].received == transfers[0].data);
}

TEST_F(LinkRelayTest, BothSidesSendSegmentsAsOverEthernet) {
  StartRelay(LinkOptions());
  const Connected connected = Connect();
  Pass(connected.client, connected.server, "x");
  for (const UniqueFd* end : {&connected.client, &connected.server}) {
    int segment = 0;
    socklen_t size = sizeof segment;
    ASSERT_EQ(getsockopt(end->get(), IPPROTO_TCP, TCP_MAXSEG, &segment, &size), 0);
    EXPECT_LE(segment, 1448);
  }
}

TEST_F(LinkRelayTest, HundredsOfConnections) {
  const int fds_before = OpenFds();
  LinkOptions options;
  options.delay = absl::Milliseconds(2);
  options.rate = 100'000'000;
  StartRelay(options);
  constexpr int kConnections = 200;
  std::vector<UniqueFd> clients;
  std::vector<UniqueFd> servers;
  for (int i = 0; i < kConnections; ++i) clients.push_back(ConnectClient());
  for (int i = 0; i < kConnections; ++i) servers.push_back(AcceptServer());
  for (const UniqueFd& client : clients) ASSERT_EQ(send(client.get(), "x", 1, MSG_NOSIGNAL), 1);
  for (const UniqueFd& server : servers) EXPECT_EQ(ReceiveOne(server), 1);
  for (const UniqueFd& server : servers) ASSERT_EQ(send(server.get(), "y", 1, MSG_NOSIGNAL), 1);
  for (const UniqueFd& client : clients) EXPECT_EQ(ReceiveOne(client), 1);
  EXPECT_EQ(relay_->stats().accepted, kConnections);
  clients.clear();
  servers.clear();
  EXPECT_TRUE(AllEnded());
  relay_.reset();
  EXPECT_EQ(OpenFds(), fds_before);
}

TEST_F(LinkRelayTest, RefusesWhatIsNotValid) {
  LinkOptions options;
  for (const char* upstream : {"", "localhost:1", "127.0.0.1", "unix:/tmp/x"}) {
    EXPECT_EQ(LinkRelay::Start(upstream, options).status().code(),
              absl::StatusCode::kInvalidArgument)
        << upstream;
  }
  options.delay = absl::Seconds(-1);
  const absl::Status status = LinkRelay::Start("127.0.0.1:1", options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("delay is -1s"));
}

}  // namespace
}  // namespace predial
