// What a process holds, for tests that it does not grow: descriptors, threads, heap.
#pragma once

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"

namespace predial {

// The process's threads by name, for the report of a failure.
inline std::string ThreadNames() {
  std::map<std::string, int> names;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    ++names[name];
  }
  std::string text;
  for (const auto& [name, count] : names) absl::StrAppend(&text, count, " x ", name, "\n");
  return text;
}

inline size_t CountEntries(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder),
                       std::filesystem::directory_iterator());
}

// Taken when it is made.
struct Holdings {
  size_t descriptors = CountEntries("/proc/self/fd");
  size_t threads = CountEntries("/proc/self/task");
  size_t heap_bytes = mallinfo2().uordblks;
  std::string thread_names = ThreadNames();
};

// gRPC makes some threads and descriptors late; the heap is in pieces.
inline void ExpectNoGrowth(const Holdings& before, const Holdings& after) {
  EXPECT_LE(after.descriptors, before.descriptors + 4);
  EXPECT_LE(after.threads, before.threads + 2) << "before:\n"
                                               << before.thread_names << "after:\n"
                                               << after.thread_names;
  EXPECT_LE(after.heap_bytes, before.heap_bytes + 512 * 1024);
  std::printf("heap %+lld KiB\n", (static_cast<long long>(after.heap_bytes) -
                                   static_cast<long long>(before.heap_bytes)) /
                                      1024);
}

}  // namespace predial
