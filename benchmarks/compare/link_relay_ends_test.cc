// LinkRelay: how its connections begin, and how they end. Times are compared with what they cannot
// be less than.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmarks/compare/link_relay.h"
#include "benchmarks/compare/link_relay_test_util.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

LinkOptions Delay(absl::Duration delay) {
  LinkOptions options;
  options.delay = delay;
  return options;
}

class LinkRelayEndsTest : public LinkRelayTest {
 protected:
  void SetUp() override {
    LinkRelayTest::SetUp();
    StartRelay(Delay(absl::Milliseconds(10)));
    connected_ = Connect();
    // So that all that comes now costs one delay.
    Pass(connected_.client, connected_.server, "x");
    Pass(connected_.server, connected_.client, "x");
  }

  // `from` says that it is done, and still hears what `to` says.
  void EndOneAfterTheOther(UniqueFd& from, UniqueFd& to) {
    const std::string data = RandomBytes(1 << 20, 1);
    Time began = Clock::now();
    std::vector<Transfer> transfers = {{from.get(), to.get(), data}};
    while (transfers[0].sent < data.size()) {
      ASSERT_TRUE(WaitFor(from.get(), POLLOUT));
      ASSERT_TRUE(transfers[0].Send());
      ASSERT_TRUE(transfers[0].Receive());
    }
    ASSERT_EQ(shutdown(from.get(), SHUT_WR), 0);
    Run(transfers);
    EXPECT_TRUE(transfers[0].received == data);
    EXPECT_EQ(ReceiveOne(to), 0);
    EXPECT_GE(Clock::now() - began, delay_);
    EXPECT_GE(Pass(to, from, "still here"), delay_);
    EXPECT_EQ(relay_->stats().open, 1);
    began = Clock::now();
    to.Reset();
    EXPECT_EQ(ReceiveOne(from), 0);
    EXPECT_GE(Clock::now() - began, delay_);
    EXPECT_TRUE(AllEnded());
  }

  void ResetOneByTheOther(UniqueFd& from, UniqueFd& to) {
    const Time began = Clock::now();
    CloseByReset(from);
    EXPECT_EQ(ReceiveOne(to), -ECONNRESET);
    EXPECT_GE(Clock::now() - began, delay_);
    EXPECT_TRUE(AllEnded());
  }

  Connected connected_;
};

TEST_F(LinkRelayEndsTest, TheClientEndsItsDirection) {
  EndOneAfterTheOther(connected_.client, connected_.server);
}

TEST_F(LinkRelayEndsTest, TheServerEndsItsDirection) {
  EndOneAfterTheOther(connected_.server, connected_.client);
}

TEST_F(LinkRelayEndsTest, TheClientResets) {
  ResetOneByTheOther(connected_.client, connected_.server);
}

TEST_F(LinkRelayEndsTest, TheServerResets) {
  ResetOneByTheOther(connected_.server, connected_.client);
}

// As servers do that send an error and close without having read all: bytes, a FIN, and a RST.
TEST_F(LinkRelayEndsTest, AResetComesAfterTheBytesBeforeIt) {
  ASSERT_EQ(send(connected_.server.get(), "bye", 3, MSG_NOSIGNAL), 3);
  CloseByReset(connected_.server);
  std::string received;
  int got;
  while ((got = ReceiveOne(connected_.client)) > 0) received += '.';
  EXPECT_EQ(received, "...");
  EXPECT_EQ(got, -ECONNRESET);
}

TEST_F(LinkRelayEndsTest, AResetAfterAFin) {
  ASSERT_EQ(shutdown(connected_.client.get(), SHUT_WR), 0);
  EXPECT_EQ(ReceiveOne(connected_.server), 0);
  CloseByReset(connected_.client);
  // The server has seen the end of what it reads: the error is for who writes.
  EXPECT_TRUE(Eventually([this] {
    return send(connected_.server.get(), "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE;
  }));
  EXPECT_TRUE(AllEnded());
}

// A RST needs no reader.
TEST_F(LinkRelayEndsTest, AResetPassesWhatNobodyReads) {
  Transfer transfer = {connected_.client.get(), connected_.server.get(), RandomBytes(32 << 20, 1)};
  constexpr int kStuckMilliseconds = 200;
  pollfd writable = {transfer.from, POLLOUT, 0};
  while (transfer.sent < transfer.data.size() && poll(&writable, 1, kStuckMilliseconds) == 1) {
    ASSERT_TRUE(transfer.Send());
  }
  ASSERT_LT(transfer.sent, transfer.data.size());
  CloseByReset(connected_.client);
  EXPECT_TRUE(AllEnded());
  while (transfer.Receive()) ASSERT_TRUE(WaitFor(transfer.to, POLLIN));
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_EQ(transfer.received, transfer.data.substr(0, transfer.received.size()));
}

TEST_F(LinkRelayEndsTest, BothResetAtOnce) {
  CloseByReset(connected_.client);
  CloseByReset(connected_.server);
  EXPECT_TRUE(AllEnded());
}

TEST_F(LinkRelayEndsTest, TheRelayIsStopped) {
  relay_->Stop();
  EXPECT_EQ(relay_->stats().open, 0);
  EXPECT_EQ(relay_->stats().bytes_up, 1);
  EXPECT_LE(ReceiveOne(connected_.client), 0);
  EXPECT_LE(ReceiveOne(connected_.server), 0);
}

TEST_F(LinkRelayTest, AConnectionCostsARoundTrip) {
  StartRelay(Delay(absl::Milliseconds(20)));
  const Time began = Clock::now();
  const UniqueFd client = ConnectClient();
  ASSERT_EQ(send(client.get(), "first", 5, MSG_NOSIGNAL), 5);
  const UniqueFd server = AcceptServer();
  EXPECT_GE(Clock::now() - began, delay_);  // the SYN
  ASSERT_EQ(send(server.get(), "settings", 8, MSG_NOSIGNAL), 8);
  EXPECT_EQ(ReceiveOne(server), 1);
  EXPECT_GE(Clock::now() - began, 3 * delay_);  // a round trip, then the way of these bytes
  EXPECT_EQ(ReceiveOne(client), 1);
  EXPECT_GE(Clock::now() - began, 4 * delay_);
}

TEST_F(LinkRelayTest, WithoutAHandshakeAConnectionIsThereAtOnce) {
  LinkOptions options = Delay(absl::Seconds(10));
  options.handshake = false;
  StartRelay(options);
  const Time began = Clock::now();
  const Connected connected = Connect();
  EXPECT_LT(Clock::now() - began, delay_);
}

TEST_F(LinkRelayTest, WhatAClientSaidBeforeItLeftStillArrives) {
  StartRelay(Delay(absl::Milliseconds(10)));
  UniqueFd client = ConnectClient();
  ASSERT_EQ(send(client.get(), "x", 1, MSG_NOSIGNAL), 1);
  client.Reset();
  UniqueFd server = AcceptServer();
  EXPECT_EQ(ReceiveOne(server), 1);
  EXPECT_EQ(ReceiveOne(server), 0);
  server.Reset();
  EXPECT_TRUE(AllEnded());
}

TEST_F(LinkRelayTest, AClientThatResetsDuringTheHandshakeIsSeenToDoSo) {
  StartRelay(Delay(absl::Milliseconds(10)));
  UniqueFd client = ConnectClient();
  CloseByReset(client);
  const UniqueFd server = AcceptServer();
  EXPECT_EQ(ReceiveOne(server), -ECONNRESET);
  EXPECT_TRUE(AllEnded());
}

TEST_F(LinkRelayTest, AClientWhoseUpstreamRefusesIsReset) {
  for (const bool handshake : {true, false}) {
    const UniqueFd not_listening = BindSocket("127.0.0.1:0");
    LinkOptions options = Delay(absl::Milliseconds(10));
    options.handshake = handshake;
    absl::StatusOr<std::unique_ptr<LinkRelay>> relay =
        LinkRelay::Start(LocalAddress(not_listening.get()).ToString(), options);
    ASSERT_TRUE(relay.ok()) << relay.status();
    relay_ = *std::move(relay);
    const Time began = Clock::now();
    const UniqueFd client = ConnectClient();
    EXPECT_EQ(ReceiveOne(client), -ECONNRESET);
    if (handshake) {
      EXPECT_GE(Clock::now() - began, absl::ToChronoNanoseconds(2 * options.delay));
    }
    EXPECT_TRUE(AllEnded());
    EXPECT_EQ(relay_->stats().accepted, 1);
  }
}

}  // namespace
}  // namespace predial
