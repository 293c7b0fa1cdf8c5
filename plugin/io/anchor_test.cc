#include "plugin/io/anchor.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "examples/echo/echo_server_lib.h"
#include "examples/echo/socket_dir.h"
#include "plugin/core/backoff.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/grpc_poller.h"
#include "plugin/io/health_test_util.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"
#include "plugin/testing/manual_loop.h"

namespace predial {
namespace {

using std::chrono::seconds;

// gRPC is real and takes the time it takes; the anchor's own time is the test's.
class AnchorTest : public testing::Test {
 protected:
  AnchorTest() {
    backoff_.initial = seconds(1);
    backoff_.jitter = 0;
  }
  ~AnchorTest() override {
    anchor_.reset();
    EXPECT_FALSE(loop_.has_timers());
  }

  void Start(const std::string& target, const std::string& service = "") {
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    channel_ = CreateOrdinaryChannel(target, grpc::InsecureChannelCredentials(), args, {});
    anchor_ = std::make_unique<Anchor>(loop_, poller_, channel_, service, backoff_,
                                       [this](HealthResult result) { reports_.push_back(result); });
  }
  void Start(const EchoServer& server, const std::string& service = "") {
    Start(AddressOf(server).ToGrpcTarget(), service);
  }

  // Runs the loop, without moving its time, until there are `count` reports altogether.
  bool WaitForReports(size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kTestPatience;
    while (reports_.size() < count) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_.RunPosted();
      std::this_thread::yield();
    }
    return true;
  }

  ManualLoop loop_;
  GrpcPoller poller_;
  BackoffPolicy backoff_;
  std::shared_ptr<grpc::Channel> channel_;
  std::vector<HealthResult> reports_;
  std::unique_ptr<Anchor> anchor_;
};

TEST_F(AnchorTest, ReportsWhatTheHealthServiceSays) {
  const auto server = StartEchoServer();
  Start(*server);
  ASSERT_TRUE(WaitForReports(1));
  server->SetServing(false);
  ASSERT_TRUE(WaitForReports(2));
  server->SetServing(true);
  ASSERT_TRUE(WaitForReports(3));
  EXPECT_EQ(reports_, (std::vector<HealthResult>{HealthResult::kServing, HealthResult::kNotServing,
                                                 HealthResult::kServing}));
  EXPECT_FALSE(loop_.has_timers());
  anchor_.reset();
}

TEST_F(AnchorTest, AsksAServerWithoutHealthServiceAgainAfterAMinute) {
  EchoServerOptions options;
  options.health = false;
  const auto server = StartEchoServer(options);
  Start(*server);
  ASSERT_TRUE(WaitForReports(1));
  EXPECT_EQ(reports_[0], HealthResult::kUnimplemented);
  loop_.RunFor(seconds(60) - std::chrono::milliseconds(1));
  EXPECT_EQ(reports_.size(), 1u);
  loop_.RunFor(std::chrono::milliseconds(1));
  ASSERT_TRUE(WaitForReports(2));
  EXPECT_EQ(reports_[1], HealthResult::kUnimplemented);
}

TEST_F(AnchorTest, AWatchOfAnUnknownServiceGoesOn) {
  const auto server = StartEchoServer();
  Start(*server, "no.such.Service");
  ASSERT_TRUE(WaitForReports(1));
  EXPECT_EQ(reports_[0], HealthResult::kUnimplemented);
  EXPECT_FALSE(loop_.has_timers());  // it is not asked again: it will say when it knows
  anchor_.reset();
}

TEST_F(AnchorTest, AWatchThatBreaksIsTriedAgainWithBackoff) {
  const SocketDir dir;
  EchoServerOptions options;
  options.address = "unix:" + dir.path() + "/server";
  auto server = StartEchoServer(options);
  Start(*server);
  ASSERT_TRUE(WaitForReports(1));
  server.reset();
  while (reports_.back() != HealthResult::kNoAnswer) {
    ASSERT_TRUE(WaitForReports(reports_.size() + 1));
  }
  const size_t broken = reports_.size();
  server = StartEchoServer(options);
  loop_.RunFor(seconds(1) - std::chrono::milliseconds(1));
  EXPECT_EQ(reports_.size(), broken);
  loop_.RunFor(std::chrono::milliseconds(1));
  ASSERT_TRUE(WaitForReports(broken + 1));
  EXPECT_EQ(reports_[broken], HealthResult::kServing);
  anchor_.reset();
}

TEST_F(AnchorTest, WakeDoesNotWaitForTheBackoff) {
  const SocketDir dir;
  EchoServerOptions options;
  options.address = "unix:" + dir.path() + "/server";
  auto server = StartEchoServer(options);
  Start(*server);
  ASSERT_TRUE(WaitForReports(1));
  server.reset();
  while (reports_.back() != HealthResult::kNoAnswer) {
    ASSERT_TRUE(WaitForReports(reports_.size() + 1));
  }
  server = StartEchoServer(options);
  anchor_->Wake();
  EXPECT_FALSE(loop_.has_timers());
  const size_t broken = reports_.size();
  ASSERT_TRUE(WaitForReports(broken + 1));
  EXPECT_EQ(reports_[broken], HealthResult::kServing);
  anchor_.reset();
}

TEST_F(AnchorTest, WakeOfOneThatWatchesChangesNothing) {
  const auto server = StartEchoServer();
  Start(*server);
  anchor_->Wake();
  ASSERT_TRUE(WaitForReports(1));
  anchor_->Wake();
  server->SetServing(false);
  ASSERT_TRUE(WaitForReports(2));
  EXPECT_EQ(reports_,
            (std::vector<HealthResult>{HealthResult::kServing, HealthResult::kNotServing}));
  anchor_.reset();
}

TEST_F(AnchorTest, DestroyedWhileNobodyAnswers) {
  const UniqueFd nobody = BindSocket("127.0.0.1:0");
  Start(LocalAddress(nobody.get()).ToGrpcTarget());
  anchor_.reset();
  loop_.RunPosted();
  EXPECT_TRUE(reports_.empty());
}

TEST_F(AnchorTest, DestroyedWithAReportInTheLoop) {
  const auto server = StartEchoServer();
  Start(*server);
  // The report comes in its own time; whether it is posted yet makes no difference.
  for (int turn = 0; turn < 1000; ++turn) std::this_thread::yield();
  anchor_.reset();
  loop_.RunPosted();
  EXPECT_TRUE(reports_.empty());
}

TEST_F(AnchorTest, MayBeDestroyedByItsReport) {
  for (const bool health : {true, false}) {
    EchoServerOptions options;
    options.health = health;
    const auto server = StartEchoServer(options);
    reports_.clear();
    const auto state = std::make_shared<std::string>("that goes with the report");
    anchor_ =
        std::make_unique<Anchor>(loop_, poller_,
                                 CreateOrdinaryChannel(AddressOf(*server).ToGrpcTarget(),
                                                       grpc::InsecureChannelCredentials(), {}, {}),
                                 "", backoff_, [this, state](HealthResult result) {
                                   anchor_.reset();
                                   EXPECT_FALSE(state->empty());
                                   reports_.push_back(result);
                                 });
    ASSERT_TRUE(WaitForReports(1));
    EXPECT_FALSE(loop_.has_timers());
  }
}

TEST(AnchorChannelTest, SharesItsConnectionWithNoOther) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  const std::string target = LocalAddress(listener.get()).ToGrpcTarget();
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < 2; ++i) {
    channels.push_back(CreateOrdinaryChannel(target, grpc::InsecureChannelCredentials(), {}, {}));
    channels.back()->GetState(/*try_to_connect=*/true);
    ASSERT_TRUE(WaitFor(listener.get(), POLLIN));
    const UniqueFd connection(accept(listener.get(), nullptr, nullptr));
    EXPECT_TRUE(connection.valid());
  }
}

}  // namespace
}  // namespace predial
