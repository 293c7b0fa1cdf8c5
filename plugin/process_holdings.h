// What a process holds, for tests that it does not grow: descriptors, threads, heap.
#pragma once

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace predial {

// The process's threads, by name.
inline std::map<std::string, int> CountThreads() {
  std::map<std::string, int> names;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (!name.empty()) ++names[name];  // else it has just ended
  }
  return names;
}

inline size_t CountEntries(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder),
                       std::filesystem::directory_iterator());
}

// Taken when it is made.
struct Holdings {
  size_t descriptors = CountEntries("/proc/self/fd");
  std::map<std::string, int> threads = CountThreads();
  size_t heap_bytes = mallinfo2().uordblks;
};

inline int Sum(const std::map<std::string, int>& threads, bool of_grpc) {
  // gRPC has as many of these as its work has wanted of late, within bounds of its own. Names are
  // cut after 15 characters by the kernel.
  static const std::set<std::string> kOfGrpc = {"default-executo", "resolver-execut",
                                                "event_engine",    "grpc_global_tim",
                                                "timer_manager",   "grpcpp_sync_ser"};
  int sum = 0;
  for (const auto& [name, count] : threads) sum += kOfGrpc.count(name) == of_grpc ? count : 0;
  return sum;
}

inline std::string Describe(const std::map<std::string, int>& threads) {
  std::string text;
  for (const auto& [name, count] : threads) absl::StrAppend(&text, count, " x ", name, "\n");
  return text;
}

// The heap is in pieces.
inline bool HeapHasNotGrown(const Holdings& before, const Holdings& after) {
  return after.heap_bytes <= before.heap_bytes + 512 * 1024;
}

// gRPC makes some threads and descriptors late.
inline void ExpectNoGrowth(const Holdings& before, const Holdings& after) {
  EXPECT_LE(after.descriptors, before.descriptors + 4);
  const std::string threads =
      "before:\n" + Describe(before.threads) + "after:\n" + Describe(after.threads);
  EXPECT_LE(Sum(after.threads, false), Sum(before.threads, false)) << threads;
  EXPECT_LE(Sum(after.threads, true), Sum(before.threads, true) + 8) << threads;
  EXPECT_TRUE(HeapHasNotGrown(before, after));
  std::printf("heap %+lld KiB\n", (static_cast<long long>(after.heap_bytes) -
                                   static_cast<long long>(before.heap_bytes)) /
                                      1024);
}

}  // namespace predial
