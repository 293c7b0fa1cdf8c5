// A process at its limit of descriptors: the pool says so, keeps what it has, serves on, and grows
// once it can.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpc/support/log.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "examples/echo/process.h"
#include "plugin/api_test_channels.h"
#include "plugin/channel_test_util.h"
#include "plugin/io/unique_fd.h"
#include "plugin/pooled_channel.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;
using echo::v1::EchoResponse;
using testing::HasSubstr;

// The limit of descriptors, lowered for as long as it lives.
class LoweredLimit {
 public:
  explicit LoweredLimit(rlim_t descriptors) {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit lowered = {std::min(descriptors, before_.rlim_cur), before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &lowered), 0);
  }
  ~LoweredLimit() { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }
  LoweredLimit(const LoweredLimit&) = delete;

 private:
  rlimit before_;
};

// Leaves this process without a free descriptor for as long as it lives.
class NoDescriptors {
 public:
  NoDescriptors() : limit_(kLimit) {
    for (;;) {
      UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!fd.valid()) break;
      filler_.push_back(std::move(fd));
    }
    EXPECT_EQ(errno, EMFILE);
  }

 private:
  static constexpr rlim_t kLimit = 200;  // more than the test has open before

  const LoweredLimit limit_;
  std::vector<UniqueFd> filler_;
};

class PooledChannelFdLimitTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto process = Process::Start({"examples/echo/echo_server", "--port=0"});
    ASSERT_TRUE(process.ok()) << process.status();
    suite_ = new Suite;
    suite_->server = *std::move(process);
    const auto line = suite_->server->ReadLine();
    ASSERT_TRUE(line.ok()) << line.status() << suite_->server->ErrorOutput();
    absl::string_view address = *line;
    ASSERT_TRUE(absl::ConsumePrefix(&address, "listening on ")) << *line;
    suite_->target = absl::StrCat("ipv4:", address);
  }
  static void TearDownTestSuite() {
    delete suite_;
    suite_ = nullptr;
  }

  static std::shared_ptr<PooledChannel> Create() {
    PoolOptions options;
    options.streams_per_connection_target = 1;
    options.connections_max = 4;
    options.spares = 0;
    options.proven_lifetime = false;  // a rotation gives descriptors back, in the next test as well
    options.backoff.initial = options.backoff.max = absl::Milliseconds(20);
    options.backoff.under_demand = absl::Milliseconds(20);
    return Create(suite_->target, options);
  }
  static std::shared_ptr<PooledChannel> Create(const std::string& target,
                                               const PoolOptions& options) {
    suite_->channels.push_back(
        PooledChannel::Create(target, grpc::InsecureChannelCredentials(), options));
    return suite_->channels.back();
  }
  // Options of a pool without any connection.
  static PoolOptions WithoutSockets() {
    PoolOptions options;
    options.dialer = std::make_shared<FailingDialer>();
    options.health.enabled = false;
    return options;
  }
  // All that it connects by itself: its members and the watch of the server's health.
  static bool WaitForAllConnected(const PooledChannel& channel) {
    return WaitForReadyMembers(channel, 2) && Eventually([&] {
             return channel.Stats().health_checks[static_cast<int>(HealthResult::kServing)] > 0;
           });
  }
  static int64_t LocalLimits(const PooledChannel& channel) {
    return channel.Stats().dials[static_cast<int>(DialResult::kLocalLimit)];
  }

 private:
  struct Suite {
    // In a process of its own: a server in this one would be at its limit, too.
    std::unique_ptr<Process> server;
    std::string target;
    // Until all tests are over: what one pool closes, or the event loop that goes with the last,
    // would be free in the next.
    std::vector<std::shared_ptr<PooledChannel>> channels;
  };
  static Suite* suite_;
};

PooledChannelFdLimitTest::Suite* PooledChannelFdLimitTest::suite_ = nullptr;

TEST_F(PooledChannelFdLimitTest, WarnsOfALimitBelowWhatItMayNeed) {
  static std::string* const logged = new std::string;
  const LoweredLimit limit(64);
  PoolOptions options = WithoutSockets();
  options.connections_max = 100;
  options.spares = 3;
  // Called on this thread by Create().
  gpr_set_log_function([](gpr_log_func_args* args) {
    if (absl::StrContains(args->message, "RLIMIT_NOFILE")) *logged = args->message;
  });
  const auto channel = Create("127.0.0.1:1", options);
  gpr_set_log_function(nullptr);
  const PoolStats stats = channel->Stats();
  ASSERT_EQ(stats.warnings.size(), 1u);
  EXPECT_EQ(stats.warnings[0], *logged);
  EXPECT_THAT(stats.warnings[0], HasSubstr("connections_max 100 needs up to 203 descriptors"));
  EXPECT_THAT(stats.warnings[0], HasSubstr("may open 64"));
}

TEST_F(PooledChannelFdLimitTest, DoesNotWarnOfALimitThatIsEnough) {
  const LoweredLimit limit(64);
  PoolOptions options = WithoutSockets();
  options.connections_max = 20;
  const auto channel = Create("127.0.0.1:1", options);
  EXPECT_THAT(channel->Stats().warnings, testing::IsEmpty());
}

TEST_F(PooledChannelFdLimitTest, KeepsItsMembersAndGrowsLater) {
  const auto channel = Create();
  ASSERT_TRUE(WaitForAllConnected(*channel));
  const auto stub = echo::v1::Echo::NewStub(channel);
  constexpr int kStreams = 4;
  grpc::ClientContext contexts[kStreams];
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoResponse>>> streams;
  {
    const NoDescriptors none;
    for (grpc::ClientContext& context : contexts) {
      context.set_deadline(std::chrono::system_clock::now() + kPatience);
      streams.push_back(stub->BidiStream(&context));
    }
    // It goes on trying, one dial at a time.
    EXPECT_TRUE(Eventually([&] { return LocalLimits(*channel) >= 3; }));
    const PoolStats stats = channel->Stats();
    EXPECT_THAT(stats.last_error, HasSubstr("Too many open files"));
    EXPECT_THAT(stats.last_error, HasSubstr("RLIMIT_NOFILE is 200: raise it"));
    EXPECT_EQ(stats.state, "READY");
    EXPECT_EQ(stats.connections_wanted, kStreams);
    ASSERT_EQ(stats.endpoints.size(), 1u);
    EXPECT_EQ(stats.endpoints[0].ready, 2);
    EXPECT_LE(stats.endpoints[0].connecting, 1);
    EXPECT_EQ(stats.endpoints[0].failed_dials, 0) << "not the server's fault";
    EXPECT_THAT(stats.closed[static_cast<int>(CloseReason::kPeerClosed)], 0);
    EXPECT_TRUE(Echo(*stub, "none free", /*wait_for_ready=*/false).ok());
  }
  EXPECT_TRUE(WaitForReadyMembers(*channel, kStreams));
  EXPECT_EQ(channel->Stats().last_error, "");
  for (auto& stream : streams) {
    EXPECT_TRUE(stream->Write({}));
    EchoResponse response;
    EXPECT_TRUE(stream->Read(&response));
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }
  EXPECT_TRUE(Eventually([&] { return channel->Stats().leases == 0; }));
}

// It begins without a free descriptor: not even its anchors can connect.
TEST_F(PooledChannelFdLimitTest, ConnectsOnceItCan) {
  // The process's threads are there, with the descriptors that they need.
  ASSERT_TRUE(WaitForAllConnected(*Create()));
  std::shared_ptr<PooledChannel> channel;
  {
    const NoDescriptors none;
    channel = Create();
    EXPECT_TRUE(Eventually([&] { return LocalLimits(*channel) >= 1; }));
    EXPECT_THAT(channel->Stats().last_error, HasSubstr("Too many open files"));
    const auto stub = echo::v1::Echo::NewStub(channel);
    EXPECT_EQ(Echo(*stub, "none free", /*wait_for_ready=*/false).error_code(),
              grpc::StatusCode::UNAVAILABLE);
  }
  EXPECT_TRUE(WaitForReadyMembers(*channel, 2));
  EXPECT_TRUE(Echo(*echo::v1::Echo::NewStub(channel)).ok());
}

}  // namespace
}  // namespace predial
