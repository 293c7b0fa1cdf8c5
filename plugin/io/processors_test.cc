#include "plugin/io/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

namespace predial {
namespace {

class ProcessorsTest : public ::testing::Test {
 protected:
  ~ProcessorsTest() override { std::filesystem::remove_all(root_); }

  static std::string NewRoot() {
    std::string root = ::testing::TempDir() + "/" +
                       ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root);
    return root;
  }
  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = root_ + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }

  const std::string root_ = NewRoot();
  const int all_ = UsableProcessors(root_);  // without any control group
};

TEST_F(ProcessorsTest, ThisProcessHasSome) {
  EXPECT_GE(UsableProcessors(), 1);
  EXPECT_LE(UsableProcessors(), all_);
}

// Pins the calling thread to one processor; gives back what it had.
cpu_set_t Pin() {
  cpu_set_t before;
  EXPECT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  int one = 0;
  while (!CPU_ISSET(one, &before)) ++one;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(one, &only);
  EXPECT_EQ(sched_setaffinity(0, sizeof(only), &only), 0);
  return before;
}

TEST_F(ProcessorsTest, AreThoseThatTheSchedulerAllows) {
  const cpu_set_t before = Pin();
  EXPECT_EQ(UsableProcessors(root_), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(UsableProcessors(root_), all_);
}

TEST_F(ProcessorsTest, AThreadThatIsPinnedIsNotTheProcess) {
  int usable = 0;
  std::thread([&] {
    Pin();
    usable = UsableProcessors(root_);
  }).join();
  EXPECT_EQ(usable, all_);
}

TEST_F(ProcessorsTest, AQuotaOfAContainer) {
  Write("/proc/self/cgroup", "0::/\n");
  Write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(UsableProcessors(root_), 1);
  Write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(UsableProcessors(root_), all_);
  Write("/sys/fs/cgroup/cpu.max", "6400000 100000\n");
  EXPECT_EQ(UsableProcessors(root_), std::min(all_, 64));
}

TEST_F(ProcessorsTest, AQuotaIsRoundedUp) {
  if (all_ < 2) GTEST_SKIP() << "needs two processors";
  Write("/proc/self/cgroup", "0::/\n");
  Write("/sys/fs/cgroup/cpu.max", "100001 100000\n");
  EXPECT_EQ(UsableProcessors(root_), 2);
}

TEST_F(ProcessorsTest, AGroupAboveLimitsToo) {
  Write("/proc/self/cgroup", "0::/system.slice/a.service\n");
  Write("/sys/fs/cgroup/system.slice/a.service/cpu.max", "max 100000\n");
  EXPECT_EQ(UsableProcessors(root_), all_);
  Write("/sys/fs/cgroup/system.slice/cpu.max", "100000 100000\n");
  EXPECT_EQ(UsableProcessors(root_), 1);
}

TEST_F(ProcessorsTest, AQuotaOfVersion1) {
  Write("/proc/self/cgroup", "9:name=systemd:/\n4:cpuacct,cpu:/docker/0a1b\n0::/\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(UsableProcessors(root_), all_);
  Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
  EXPECT_EQ(UsableProcessors(root_), 1);
}

TEST_F(ProcessorsTest, WhatCannotBeReadDoesNotLimit) {
  Write("/proc/self/cgroup", "0::/\nrubbish\n1:cpu\n2:cpu:no/path\n");
  for (const char* text : {"", "\n", "rubbish", "1", "-5 100000", "0 0", "1 2 3", "nan 1"}) {
    Write("/sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(UsableProcessors(root_), all_) << text;
  }
}

}  // namespace
}  // namespace predial
