#include "plugin/io/per_process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

namespace predial {
namespace {

struct Counted {
  int value = 0;
};
PerProcess<Counted> counted;

TEST(PerProcessTest, IsTheSameForAllThreads) {
  static PerProcess<Counted> fresh;
  constexpr int kThreads = 8;
  std::atomic<int> arrived{0};
  std::vector<Counted*> got(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      arrived.fetch_add(1);
      while (arrived.load() < kThreads) std::this_thread::yield();
      got[t] = &fresh.Get();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<Counted*>(got.begin(), got.end()).size(), 1u);
}

TEST(PerProcessTest, AForkedChildHasItsOwn) {
  counted.Get().value = 7;
  const uint32_t forks = ForkCount();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool anew = counted.Get().value == 0 && ForkCount() == forks + 1;
    counted.Get().value = 8;
    _exit(anew && counted.Get().value == 8 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(counted.Get().value, 7);
  EXPECT_EQ(ForkCount(), forks);
  EXPECT_FALSE(ForkedWhileGrpcWasInUse());
}

}  // namespace
}  // namespace predial
