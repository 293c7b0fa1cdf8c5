#include "benchmarks/compare/process_usage.h"

#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace predial {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// A "Name:   123 …" line of a file in /proc/self.
absl::StatusOr<int64_t> ReadProc(const char* file, const std::string& name) {
  std::ifstream in(file);
  std::string word;
  while (in >> word) {
    int64_t value = 0;
    if (word == name + ":" && in >> value) return value;
  }
  return absl::UnavailableError(absl::StrCat(file, " has no ", name));
}

int CountSockets() {
  std::set<std::string> sockets;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;  // it may have been closed meanwhile
    const std::string link = std::filesystem::read_symlink(entry.path(), error).string();
    if (!error && absl::StartsWith(link, "socket:")) sockets.insert(link);
  }
  return static_cast<int>(sockets.size());
}

}  // namespace

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

absl::StatusOr<ProcessUsage> ReadProcessUsage() {
  const absl::StatusOr<int64_t> peak = ReadProc("/proc/self/status", "VmHWM");
  if (!peak.ok()) return peak.status();
  const absl::StatusOr<int64_t> threads = ReadProc("/proc/self/status", "Threads");
  if (!threads.ok()) return threads.status();
  const absl::StatusOr<int64_t> dirty = ReadProc("/proc/self/smaps_rollup", "Private_Dirty");
  if (!dirty.ok()) return dirty.status();
  return ProcessUsage{*peak, *dirty, static_cast<int>(*threads), CountSockets()};
}

}  // namespace predial
