#include "plugin/io/health_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/echo/echo_server_lib.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/epoll_loop.h"
#include "plugin/io/grpc_poller.h"
#include "plugin/io/health_test_util.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"
#include "plugin/testing/script.h"
#include "plugin/testing/scripted_server.h"

namespace predial {
namespace {

// For checks that are answered.
constexpr Duration kLong = kTestPatience;
// For checks that are not.
constexpr Duration kShort = std::chrono::milliseconds(50);

std::shared_ptr<grpc::Channel> MemberChannel(const Address& peer) {
  return CreateMemberChannel(ConnectTo(peer), {}, {});
}
std::shared_ptr<grpc::Channel> OrdinaryChannel(const Address& peer) {
  return grpc::CreateChannel(peer.ToGrpcTarget(), grpc::InsecureChannelCredentials());
}

class HealthClientTest : public testing::Test {
 protected:
  ~HealthClientTest() override {
    Stop();
    EXPECT_TRUE(reports_.empty()) << "a report that nobody expected";
  }

  void StartCheck(std::shared_ptr<grpc::Channel> channel, Duration timeout,
                  const std::string& service = "") {
    RunInLoop(loop_, [&] {
      check_ = HealthCheck::Start(loop_, poller_, std::move(channel), service, timeout,
                                  [this](HealthResult result) { reports_.Put(result); });
    });
  }
  HealthResult Check(std::shared_ptr<grpc::Channel> channel, Duration timeout = kLong,
                     const std::string& service = "") {
    StartCheck(std::move(channel), timeout, service);
    return reports_.Take();
  }
  void StartWatch(std::shared_ptr<grpc::Channel> channel, const std::string& service = "") {
    RunInLoop(loop_, [&] {
      watch_ = HealthWatch::Start(loop_, poller_, std::move(channel), service,
                                  [this](HealthResult result, bool) { reports_.Put(result); });
    });
  }

  // Before the server goes, which would be reported.
  void Stop() {
    RunInLoop(loop_, [this] {
      check_.reset();
      watch_.reset();
    });
  }

  EpollLoop loop_;
  GrpcPoller poller_;  // its destructor waits for every RPC: one that is not let go of hangs there
  Mailbox<HealthResult> reports_;
  std::unique_ptr<HealthCheck> check_;
  std::unique_ptr<HealthWatch> watch_;
};

TEST_F(HealthClientTest, CheckAsksTheServer) {
  const auto server = StartEchoServer();
  const auto channel = MemberChannel(AddressOf(*server));
  EXPECT_EQ(Check(channel), HealthResult::kServing);
  EXPECT_EQ(Check(channel, kLong, "predial.echo.v1.Echo"), HealthResult::kServing);
  server->SetServing(false);
  EXPECT_EQ(Check(channel), HealthResult::kNotServing);
  server->SetServing(true);
  EXPECT_EQ(Check(channel), HealthResult::kServing);
}

TEST_F(HealthClientTest, CheckOfAServiceThatTheServerDoesNotKnow) {
  const auto server = StartEchoServer();
  EXPECT_EQ(Check(MemberChannel(AddressOf(*server)), kLong, "no.such.Service"),
            HealthResult::kUnimplemented);
}

TEST_F(HealthClientTest, CheckOfAServerWithoutHealthService) {
  EchoServerOptions options;
  options.health = false;
  const auto server = StartEchoServer(options);
  EXPECT_EQ(Check(MemberChannel(AddressOf(*server))), HealthResult::kUnimplemented);
}

TEST_F(HealthClientTest, CheckOfAServerThatHangs) {
  ByteServer server(kServerPreface, "");
  EXPECT_EQ(Check(MemberChannel(server.address()), kShort), HealthResult::kNoAnswer);
}

TEST_F(HealthClientTest, CheckOfAServerThatClosesTheConnection) {
  ByteServer server(kServerPreface, "", /*close_then=*/true);
  EXPECT_EQ(Check(MemberChannel(server.address())), HealthResult::kNoAnswer);
}

TEST_F(HealthClientTest, CheckOfAServerThatSpeaksHttp1) {
  ByteServer server("", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(Check(MemberChannel(server.address())), HealthResult::kNoAnswer);
}

TEST_F(HealthClientTest, CheckOnAConnectionThatIsGone) {
  const auto server = StartEchoServer();
  UniqueFd fd = ConnectTo(AddressOf(*server));
  const UniqueFd copy(dup(fd.get()));
  const auto channel = CreateMemberChannel(std::move(fd), {}, {});
  EXPECT_EQ(Check(channel), HealthResult::kServing);
  ASSERT_EQ(shutdown(copy.get(), SHUT_RDWR), 0);
  EXPECT_EQ(Check(channel), HealthResult::kNoAnswer);
}

TEST_F(HealthClientTest, ACheckMayBeDestroyedByItsReport) {
  const auto server = StartEchoServer();
  RunInLoop(loop_, [&] {
    const auto state = std::make_shared<std::string>("that goes with the report");
    check_ = HealthCheck::Start(loop_, poller_, MemberChannel(AddressOf(*server)), "", kLong,
                                [this, state](HealthResult result) {
                                  check_.reset();
                                  EXPECT_FALSE(state->empty());
                                  reports_.Put(result);
                                });
  });
  EXPECT_EQ(reports_.Take(), HealthResult::kServing);
}

TEST_F(HealthClientTest, ACheckThatIsDestroyedDoesNotReport) {
  ByteServer server(kServerPreface, "");
  StartCheck(MemberChannel(server.address()), kLong);
  Stop();
}

TEST_F(HealthClientTest, ChecksThatAreDestroyedAtAnyTime) {
  const auto server = StartEchoServer();
  const auto channel = MemberChannel(AddressOf(*server));
  for (int i = 0; i < 100; ++i) {
    std::atomic<bool> destroyed{false};
    RunInLoop(loop_, [&] {
      check_ = HealthCheck::Start(loop_, poller_, channel, "", kLong,
                                  [&](HealthResult) { EXPECT_FALSE(destroyed); });
    });
    // From nothing sent to the report waiting in the loop.
    for (int turn = 0; turn < i; ++turn) std::this_thread::yield();
    RunInLoop(loop_, [&] {
      check_.reset();
      destroyed = true;
    });
    RunInLoop(loop_, [] {});
  }
}

TEST_F(HealthClientTest, WatchTellsOfEveryChange) {
  const auto server = StartEchoServer();
  StartWatch(OrdinaryChannel(AddressOf(*server)));
  EXPECT_EQ(reports_.Take(), HealthResult::kServing);
  for (int i = 0; i < 3; ++i) {
    server->SetServing(false);
    EXPECT_EQ(reports_.Take(), HealthResult::kNotServing);
    server->SetServing(true);
    EXPECT_EQ(reports_.Take(), HealthResult::kServing);
  }
  Stop();
}

TEST_F(HealthClientTest, WatchEndsWithTheServer) {
  const auto server = StartEchoServer();
  StartWatch(OrdinaryChannel(AddressOf(*server)));
  EXPECT_EQ(reports_.Take(), HealthResult::kServing);
  server->Shutdown(absl::ZeroDuration());
  // gRPC's service says NOT_SERVING on its way out, if there is time.
  HealthResult last = reports_.Take();
  if (last == HealthResult::kNotServing) last = reports_.Take();
  EXPECT_EQ(last, HealthResult::kNoAnswer);
}

TEST_F(HealthClientTest, WatchOfAServerWithoutHealthService) {
  EchoServerOptions options;
  options.health = false;
  const auto server = StartEchoServer(options);
  StartWatch(OrdinaryChannel(AddressOf(*server)));
  EXPECT_EQ(reports_.Take(), HealthResult::kUnimplemented);
}

// What idle connections get completes nothing, and gRPC reads from one connection at a time. The
// server is none of gRPC's, which would poll for the client, too.
TEST_F(HealthClientTest, ACheckIsAnsweredBesideManyIdleConnections) {
  constexpr int kIdle = 200;
  ScriptedServer server;
  const absl::StatusOr<Address> address = Address::Parse(server.address());
  ASSERT_TRUE(address.ok()) << address.status();
  std::vector<std::shared_ptr<grpc::Channel>> idle;
  for (int i = 0; i < kIdle; ++i) {
    idle.push_back(MemberChannel(*address));
    ASSERT_EQ(Check(idle.back()), HealthResult::kUnimplemented);
  }
  server.DoOnAll({Step::Ping()});
  EXPECT_EQ(Check(MemberChannel(*address), std::chrono::seconds(2)), HealthResult::kUnimplemented);
}

TEST_F(HealthClientTest, WatchOfAServiceThatTheServerDoesNotKnow) {
  const auto server = StartEchoServer();
  StartWatch(OrdinaryChannel(AddressOf(*server)), "no.such.Service");
  EXPECT_EQ(reports_.Take(), HealthResult::kUnimplemented);
  Stop();  // this one goes on: the service may come
}

TEST_F(HealthClientTest, WatchWaitsForAServer) {
  const UniqueFd nobody = BindSocket("127.0.0.1:0");
  StartWatch(OrdinaryChannel(LocalAddress(nobody.get())));
  Stop();  // while it waits to be sent
}

TEST_F(HealthClientTest, WatchOfAServerThatHangs) {
  ByteServer server(kServerPreface, "");
  StartWatch(MemberChannel(server.address()));
  Stop();  // while it waits for an answer
}

TEST_F(HealthClientTest, AWatchMayBeDestroyedByAnyReport) {
  const auto server = StartEchoServer();
  RunInLoop(loop_, [&] {
    const auto state = std::make_shared<std::string>("that goes with the report");
    watch_ = HealthWatch::Start(loop_, poller_, OrdinaryChannel(AddressOf(*server)), "",
                                [this, state](HealthResult result, bool ended) {
                                  EXPECT_FALSE(ended);
                                  watch_.reset();
                                  EXPECT_FALSE(state->empty());
                                  reports_.Put(result);
                                });
  });
  EXPECT_EQ(reports_.Take(), HealthResult::kServing);
  server->SetServing(false);
}

TEST_F(HealthClientTest, WatchesThatAreDestroyedAtAnyTime) {
  const auto server = StartEchoServer();
  const auto channel = MemberChannel(AddressOf(*server));
  for (int i = 0; i < 100; ++i) {
    std::atomic<bool> destroyed{false};
    RunInLoop(loop_, [&] {
      watch_ = HealthWatch::Start(loop_, poller_, channel, "",
                                  [&](HealthResult, bool) { EXPECT_FALSE(destroyed); });
    });
    for (int turn = 0; turn < i; ++turn) std::this_thread::yield();
    RunInLoop(loop_, [&] {
      watch_.reset();
      destroyed = true;
    });
    RunInLoop(loop_, [] {});
  }
}

}  // namespace
}  // namespace predial
