#include "plugin/io/runtime.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "grpc/support/time.h"
#include "grpcpp/alarm.h"
#include "plugin/io/io_test_util.h"

namespace predial {
namespace {

// Threads of this process that are a runtime's.
int RuntimeThreads() {
  int count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(task.path() / "comm");  // empty if the thread has just ended
    std::string name;
    std::getline(file, name);
    if (name == "predial-loop" || name == "predial-grpc") ++count;
  }
  return count;
}

// Whether `condition` comes true within kTestPatience.
template <typename Condition>
bool Eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kTestPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// A thread names itself a little after it was started, and is gone from /proc a little after it was
// joined.
bool WaitForRuntimeThreads(int count) {
  return Eventually([&] { return RuntimeThreads() == count; });
}

TEST(RuntimeTest, IsOneForAllAndEndsWithTheLastOwner) {
  EXPECT_TRUE(WaitForRuntimeThreads(0));
  std::shared_ptr<Runtime> a = Runtime::Get();
  std::shared_ptr<Runtime> b = Runtime::Get();
  EXPECT_EQ(a, b);
  EXPECT_TRUE(WaitForRuntimeThreads(2));
  a.reset();
  RunInLoop(b->loop(), [] {});
  b.reset();
  EXPECT_TRUE(WaitForRuntimeThreads(0));
}

TEST(RuntimeTest, EndsWhenTheLoopsThreadLetsGo) {
  for (int i = 0; i < 20; ++i) {
    std::shared_ptr<Runtime> runtime = Runtime::Get();
    ASSERT_TRUE(WaitForRuntimeThreads(2));
    EpollLoop& loop = runtime->loop();
    loop.Post([runtime = std::move(runtime)] {});
    ASSERT_TRUE(WaitForRuntimeThreads(0));
  }
}

// An alarm whose end lets go of the runtime.
class LastOwner : public GrpcPoller::Tag {
 public:
  void Start(std::shared_ptr<Runtime> runtime) {
    grpc::CompletionQueue* const queue = runtime->poller().queue();
    runtime_ = std::move(runtime);
    alarm_.Set(queue, gpr_now(GPR_CLOCK_MONOTONIC), Pass());
  }
  void OnCompleted(bool /*ok*/) override {
    runtime_.reset();
    done_.Put(true);
  }
  void Wait() { done_.Take(); }

 private:
  std::shared_ptr<Runtime> runtime_;
  grpc::Alarm alarm_;
  Box<bool> done_;
};

TEST(RuntimeTest, EndsWhenThePollersThreadLetsGo) {
  for (int i = 0; i < 20; ++i) {
    LastOwner owner;
    std::shared_ptr<Runtime> runtime = Runtime::Get();
    ASSERT_TRUE(WaitForRuntimeThreads(2));
    owner.Start(std::move(runtime));
    owner.Wait();
    ASSERT_TRUE(WaitForRuntimeThreads(0));
  }
}

TEST(RuntimeTest, ComesAgainAndLeavesNothingBehind) {
  Runtime::Get().reset();  // what gRPC opens once
  const int fds = OpenFds();
  for (int i = 0; i < 50; ++i) {
    std::shared_ptr<Runtime> runtime = Runtime::Get();
    RunInLoop(runtime->loop(), [] {});
  }
  EXPECT_TRUE(WaitForRuntimeThreads(0));
  EXPECT_EQ(OpenFds(), fds);
}

TEST(RuntimeTest, OwnersInManyThreads) {
  Runtime::Get().reset();  // what gRPC opens once
  const int fds = OpenFds();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 50; ++i) {
        std::shared_ptr<Runtime> runtime = Runtime::Get();
        if (i % 3 == 0) continue;
        RunInLoop(runtime->loop(), [] {});
        EpollLoop& loop = runtime->loop();
        if (i % 3 == 1) loop.Post([runtime = std::move(runtime)] {});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(Eventually([&] { return OpenFds() == fds; }));
  EXPECT_TRUE(WaitForRuntimeThreads(0));
}

}  // namespace
}  // namespace predial
