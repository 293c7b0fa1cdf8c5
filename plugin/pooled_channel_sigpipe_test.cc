// SIGPIPE ends a process that does not ignore it, when it writes to a connection that the peer has
// closed. A pool never raises it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "plugin/channel_test_util.h"
#include "plugin/pooled_channel.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

class SigpipeTest : public testing::Test {
 protected:
  SigpipeTest() : before_(signal(SIGPIPE, SIG_DFL)) {}
  ~SigpipeTest() override { signal(SIGPIPE, before_); }

 private:
  const sighandler_t before_;
};

// That the signal would come, and end the process.
TEST_F(SigpipeTest, AnOrdinaryWriteRaisesIt) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) _exit(1);
        close(ends[1]);
        if (write(ends[0], "x", 1) == 1) _exit(2);
        _exit(3);
      },
      testing::KilledBySignal(SIGPIPE), "");
}

// RPCs all the time, over connections that the server closes again and again. They are not looked
// at before they are used, and streams write to them after their end.
TEST_F(SigpipeTest, APoolDoesNot) {
  constexpr int kServers = 3;
  constexpr int kThreads = 4;
  EchoServerOptions server_options;
  server_options.max_connection_age = absl::Milliseconds(30);
  server_options.max_connection_age_grace = absl::Milliseconds(1);
  PoolOptions options;
  options.alive_check = false;
  options.proven_lifetime = false;
  for (int i = 0; i < kServers; ++i) {
    auto server = StartServer(server_options);
    ASSERT_NE(server, nullptr);
    const auto channel =
        PooledChannel::Create(TargetOf(*server), grpc::InsecureChannelCredentials(), options);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        const auto stub = echo::v1::Echo::NewStub(channel);
        while (!stop.load()) {
          grpc::ClientContext context;
          context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(1));
          const auto stream = stub->BidiStream(&context);
          echo::v1::EchoResponse response;
          while (!stop.load() && stream->Write({}) && stream->Read(&response)) {
          }
          stream->Finish();
        }
      });
    }
    const auto closed = [&] {
      const PoolStats stats = channel->Stats();
      return stats.closed[static_cast<int>(CloseReason::kPeerClosed)] +
                 stats.closed[static_cast<int>(CloseReason::kGoingAway)] >=
             5;
    };
    EXPECT_TRUE(Eventually(closed));
    server.reset();
    stop = true;
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace predial
