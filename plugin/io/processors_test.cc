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
  ProcessorsTest()
      : root_(::testing::TempDir() + "/" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(root_);
  }
  ~ProcessorsTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = root_ + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
  }

  const std::string root_;
  const int all_ = UsableProcessors(root_);  // without any control group
};

TEST_F(ProcessorsTest, ThisProcessHasSome) {
  EXPECT_GE(UsableProcessors(), 1);
  EXPECT_LE(UsableProcessors(), all_);
}

TEST_F(ProcessorsTest, AreThoseThatTheSchedulerAllows) {
  int usable = 0;
  std::thread([&] {
    cpu_set_t mine;
    ASSERT_EQ(sched_getaffinity(0, sizeof(mine), &mine), 0);
    int one = 0;
    while (!CPU_ISSET(one, &mine)) ++one;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(one, &only);
    ASSERT_EQ(sched_setaffinity(0, sizeof(only), &only), 0);
    usable = UsableProcessors(root_);
  }).join();
  EXPECT_EQ(usable, 1);
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
