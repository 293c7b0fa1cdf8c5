// kill -9 of a server under load, a hundred times over: only what was in flight is lost, the pool
// serves again as soon as the server does, and nothing grows.
#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/strip.h"
#include "examples/echo/process.h"
#include "plugin/api_test_channels.h"
#include "plugin/channel_test_util.h"
#include "plugin/mutex.h"
#include "plugin/pooled_channel.h"
#include "plugin/process_holdings.h"
#include "plugin/testing/test_certificates.h"

namespace predial {
namespace {

constexpr int kThreads = 8;
constexpr int kRestarts = 100;

using Clock = std::chrono::steady_clock;

// The real server, as a process that can be killed, on one port throughout.
class Server {
 public:
  // `flags`: beside the port.
  explicit Server(std::vector<std::string> flags) : flags_(std::move(flags)) {}

  void Start() {
    std::vector<std::string> argv = {"examples/echo/echo_server", absl::StrCat("--port=", port_)};
    argv.insert(argv.end(), flags_.begin(), flags_.end());
    auto process = Process::Start(argv);
    ASSERT_TRUE(process.ok()) << process.status();
    process_ = *std::move(process);
    const auto line = process_->ReadLine();
    ASSERT_TRUE(line.ok()) << line.status() << process_->ErrorOutput();
    absl::string_view address = *line;
    ASSERT_TRUE(absl::ConsumePrefix(&address, "listening on 127.0.0.1:")) << *line;
    port_ = std::string(address);
  }

  void Kill() {
    process_->Signal(SIGKILL);
    EXPECT_TRUE(process_->Wait().ok());
  }

  std::string target() const { return "ipv4:127.0.0.1:" + port_; }

 private:
  const std::vector<std::string> flags_;
  std::string port_ = "0";
  std::unique_ptr<Process> process_;
};

// Threads that call all the time, and what became of their RPCs.
class Load {
 public:
  explicit Load(std::shared_ptr<PooledChannel> channel) {
    for (int i = 0; i < kThreads; ++i) {
      threads_.emplace_back([this, channel] { Run(*echo::v1::Echo::NewStub(channel)); });
    }
  }

  ~Load() { Stop(); }

  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

  // RPCs that failed although they began after `time`. Those are what the pool promises not to
  // lose: it looks at a connection before it sends an RPC on it, unless it has answered one within
  // 8 ms.
  int LostThatBeganAfter(Clock::time_point time) {
    MutexLock lock(mutex_);
    return std::count_if(lost_began_.begin(), lost_began_.end(),
                         [&](Clock::time_point began) { return began > time; });
  }
  int64_t succeeded() const { return succeeded_; }
  int64_t lost() const { return lost_; }
  Clock::time_point first_success_after(Clock::time_point time) const {
    EXPECT_TRUE(Eventually([&] { return Clock::time_point(Clock::duration(last_)) > time; }));
    return Clock::time_point(Clock::duration(last_));
  }
  std::string Errors() {
    MutexLock lock(mutex_);
    std::string text;
    for (const auto& [error, count] : errors_) absl::StrAppend(&text, count, " x ", error, "\n");
    return text;
  }

 private:
  void Run(echo::v1::Echo::Stub& stub) {
    while (!stop_) {
      const auto began = Clock::now();
      const grpc::Status status = Echo(stub);
      if (status.ok()) {
        ++succeeded_;
        last_ = Clock::now().time_since_epoch().count();
      } else {
        ++lost_;
        MutexLock lock(mutex_);
        lost_began_.push_back(began);
        ++errors_[absl::StrCat(status.error_code(), " ", status.error_message())];
      }
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<int64_t> succeeded_{0};
  std::atomic<int64_t> lost_{0};
  std::atomic<Clock::rep> last_{0};  // success, since the clock's epoch
  Mutex mutex_;
  std::vector<Clock::time_point> lost_began_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> errors_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

class PooledChannelKillTest : public testing::TestWithParam<ChannelKind> {
 protected:
  static std::vector<std::string> Flags() {
    if (!IsSecure(GetParam())) return {};
    const TestCertificates::Identity& server = Certificates().server();
    return {"--tls_ca=" + Certificates().ca_path(), "--tls_cert=" + server.certificate_path,
            "--tls_key=" + server.key_path};
  }
  void Start(const PoolOptions& options) {
    ASSERT_NO_FATAL_FAILURE(server_.Start());
    channel_ = PooledChannel::Create(server_.target(), ChannelCredentialsOf(GetParam()),
                                     PoolOptionsOf(GetParam(), options));
    ASSERT_TRUE(WaitForReadyMembers(*channel_, 2));
    load_ = std::make_unique<Load>(channel_);
  }

  // Kills the server under load, lets the pool notice, and starts it again.
  void Restart() {
    const int64_t before = load_->succeeded();
    ASSERT_TRUE(Eventually([&] { return load_->succeeded() > before + kThreads; }));
    const int64_t lost = load_->lost();
    server_.Kill();
    const auto dead = Clock::now();
    ASSERT_TRUE(Eventually([&] { return ReadyMembers(*channel_) == 0; }));
    ASSERT_NO_FATAL_FAILURE(server_.Start());
    const auto back = Clock::now();
    slowest_ = std::max(slowest_, load_->first_success_after(back) - back);
    // More if the threads are so busy that the pool gives each of them a connection.
    ASSERT_TRUE(Eventually([&] { return ReadyMembers(*channel_) >= 2; }));
    lost_most_ = std::max(lost_most_, load_->lost() - lost);
    lost_late_ += load_->LostThatBeganAfter(dead + std::chrono::milliseconds(10));
  }

  void Finish() {
    load_->Stop();
    std::printf("%lld RPCs, %lld lost, at most %lld in one kill; slowest return %.0f ms\n%s",
                static_cast<long long>(load_->succeeded()), static_cast<long long>(load_->lost()),
                static_cast<long long>(lost_most_),
                std::chrono::duration<double, std::milli>(slowest_).count(),
                load_->Errors().c_str());
    EXPECT_EQ(lost_late_, 0);
    // What was in flight, twice at worst: a process that dies closes its connections one after the
    // other, and on a busy machine that may take longer than a thread takes to meet the second.
    EXPECT_LE(lost_most_, 2 * kThreads);
    EXPECT_LT(slowest_, std::chrono::seconds(1));
    EXPECT_EQ(channel_->Stats().leases, 0);
  }

  Server server_{Flags()};
  std::shared_ptr<PooledChannel> channel_;
  std::unique_ptr<Load> load_;
  Clock::duration slowest_{};
  int64_t lost_most_ = 0;
  int64_t lost_late_ = 0;
};

TEST_P(PooledChannelKillTest, LosesWhatIsInFlightAndServesAgainAtOnce) {
  ASSERT_NO_FATAL_FAILURE(Start(PoolOptions()));
  for (int i = 0; i < 5; ++i) ASSERT_NO_FATAL_FAILURE(Restart());
  Finish();
}

TEST_P(PooledChannelKillTest, AHundredRestartsGrowNothing) {
  if (IsSecure(GetParam())) return;  // gRPC takes longer than this to have all its threads
  PoolOptions options;
  options.connections_max = options.connections_min;      // what it holds does not depend on load
  options.backoff.under_demand = absl::Milliseconds(50);  // to save time
  ASSERT_NO_FATAL_FAILURE(Start(options));
  // gRPC takes its time to make all of its own threads and buffers.
  for (int i = 0; i < kRestarts / 2; ++i) ASSERT_NO_FATAL_FAILURE(Restart());
  const Holdings before;
  for (int i = 0; i < kRestarts / 2; ++i) ASSERT_NO_FATAL_FAILURE(Restart());
  const Holdings after;
  Finish();
  ExpectNoGrowth(before, after);
}

INSTANTIATE_TEST_SUITE_P(All, PooledChannelKillTest,
                         testing::Values(ChannelKind::kMembers, ChannelKind::kManaged,
                                         ChannelKind::kMutualTls),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace predial
