// gRPC and the server are real, and take the time they take; the scout's own time is the test's.
#include "plugin/io/scout.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "examples/echo/echo_server_lib.h"
#include "plugin/core/types.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/epoll_loop.h"
#include "plugin/io/grpc_poller.h"
#include "plugin/io/health_test_util.h"
#include "plugin/io/io_test_util.h"
#include "plugin/testing/manual_loop.h"
#include "plugin/testing/script.h"
#include "plugin/testing/scripted_server.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ScoutTest : public testing::Test {
 protected:
  ~ScoutTest() override {
    scout_.reset();
    EXPECT_FALSE(loop_.has_timers());
  }

  void Start(const std::string& grpc_target) {
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    Scout::Reports reports;
    reports.up = [this] { ++ups_; };
    reports.down = [this](Duration age) {
      ages_.push_back(age);
      if (ends_at_down_) scout_.reset();
    };
    scout_ = std::make_unique<Scout>(
        loop_, CreateOrdinaryChannel(grpc_target, grpc::InsecureChannelCredentials(), args, {}),
        std::move(reports));
  }

  // Moves the scout's time in steps of `step`, giving gRPC time of its own, until `condition`
  // holds.
  bool RunUntil(Duration step, const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kTestPatience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_.RunFor(step);
      std::this_thread::yield();
    }
    return true;
  }

  ManualLoop loop_;
  GrpcPoller poller_;
  int ups_ = 0;
  std::vector<Duration> ages_;
  bool ends_at_down_ = false;
  std::unique_ptr<Scout> scout_;
};

// Nobody sends an RPC: the scout makes the channel connect by itself, and again after each end.
TEST_F(ScoutTest, TellsOfEachConnectionAndItsAge) {
  ScriptedServer server;
  Start(server.target());
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(RunUntil(kLookMin, [&] { return ups_ == i; }));
    const Time up = loop_.Now();
    loop_.RunFor(seconds(10 * i));
    EXPECT_EQ(ages_.size(), static_cast<size_t>(i - 1)) << "it lives";
    const Duration alive = loop_.Now() - up;
    server.Do(i - 1, {Step::GoAway(0), Step::Close()});
    ASSERT_TRUE(RunUntil(kLookMin, [&] { return ages_.size() == static_cast<size_t>(i); }));
    // As it was last seen: by a look before the GOAWAY, or by one before gRPC had read it.
    EXPECT_GE(ages_.back(), alive - kLookMax);
    EXPECT_LE(ages_.back(), loop_.Now() - up);
  }
  EXPECT_EQ(server.Record().requests.size(), 0u);
}

TEST_F(ScoutTest, LooksLessOftenAtAnOldConnection) {
  ScriptedServer server;
  Start(server.target());
  ASSERT_TRUE(RunUntil(kLookMin, [&] { return ups_ == 1; }));
  // A sixteenth of its age: between two looks at the age of 8 s there are 500 ms.
  loop_.RunFor(seconds(8));
  const Time gone = loop_.Now();
  server.StopListening();
  server.Do(0, {Step::Close()});
  ASSERT_TRUE(RunUntil(milliseconds(1), [&] { return ages_.size() == 1; }));
  EXPECT_LE(ages_[0], loop_.Now() - gone + seconds(8));
  EXPECT_GE(ages_[0], seconds(8) - milliseconds(535));
}

TEST_F(ScoutTest, WaitsForAServerThatIsNotThere) {
  std::string target;
  {
    ScriptedServer server;
    target = server.target();
  }
  Start(target);
  loop_.RunFor(seconds(60));
  EXPECT_EQ(ups_, 0);
  EXPECT_TRUE(ages_.empty());
  EXPECT_TRUE(loop_.has_timers()) << "it looks again";
}

TEST_F(ScoutTest, MayBeDestroyedByItsReport) {
  ends_at_down_ = true;
  ScriptedServer server;
  Start(server.target());
  ASSERT_TRUE(RunUntil(kLookMin, [&] { return ups_ == 1; }));
  server.Do(0, {Step::Abort()});
  ASSERT_TRUE(RunUntil(kLookMin, [&] { return ages_.size() == 1; }));
  EXPECT_EQ(scout_, nullptr);
  EXPECT_FALSE(loop_.has_timers());
}

// gRPC's own server and real time: the age is that which the server was told to allow.
TEST(ScoutOnARealServerTest, FindsTheAgeThatTheServerAllows) {
  EchoServerOptions options;
  options.max_connection_age = absl::Seconds(1);
  options.max_connection_age_grace = absl::Milliseconds(1);
  const auto server = StartEchoServer(options);
  EpollLoop loop;
  GrpcPoller poller;
  Mailbox<Duration> ages;
  std::unique_ptr<Scout> scout;
  const auto channel = CreateOrdinaryChannel(AddressOf(*server).ToGrpcTarget(),
                                             grpc::InsecureChannelCredentials(), {}, {});
  const auto began = std::chrono::steady_clock::now();
  RunInLoop(loop, [&] {
    Scout::Reports reports;
    reports.up = [] {};
    reports.down = [&](Duration age) { ages.Put(age); };
    scout = std::make_unique<Scout>(loop, channel, std::move(reports));
  });
  const Duration age = ages.Take();
  // Less gRPC's jitter of a tenth and a look; more only by what the whole test was delayed.
  EXPECT_GE(age, milliseconds(600));
  EXPECT_LE(age, std::chrono::steady_clock::now() - began);
  RunInLoop(loop, [&] { scout.reset(); });
}

}  // namespace
}  // namespace predial
