#include "plugin/io/processors.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace predial {
namespace {

constexpr int kUnlimited = std::numeric_limits<int>::max();

int Affine() {
  cpu_set_t set;
  // Of the main thread: this one may be pinned. Fails where a machine has more than CPU_SETSIZE
  // (1024).
  if (sched_getaffinity(getpid(), sizeof(set), &set) == 0) return CPU_COUNT(&set);
  const unsigned all = std::thread::hardware_concurrency();  // 0: unknown
  return all == 0 ? kUnlimited : static_cast<int>(all);
}

std::optional<std::string> FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

// Microseconds of each period, or "max" or -1 for all of it.
int Quota(absl::string_view quota, absl::string_view period) {
  double used, whole;
  if (!absl::SimpleAtod(quota, &used) || !absl::SimpleAtod(period, &whole)) return kUnlimited;
  if (!(used > 0) || !(whole > 0) || used / whole >= kUnlimited) return kUnlimited;
  return static_cast<int>(std::ceil(used / whole));
}

int QuotaV2(const std::string& directory) {
  const auto line = FirstLine(directory + "/cpu.max");
  if (!line) return kUnlimited;
  const std::vector<absl::string_view> words = absl::StrSplit(*line, ' ');
  return words.size() == 2 ? Quota(words[0], words[1]) : kUnlimited;
}

int QuotaV1(const std::string& directory) {
  const auto quota = FirstLine(directory + "/cpu.cfs_quota_us");
  const auto period = FirstLine(directory + "/cpu.cfs_period_us");
  return quota && period ? Quota(*quota, *period) : kUnlimited;
}

// Of the group and those above it, which limit it too. In a container the path may be the host's,
// where nothing is to be read but at the top.
int LeastUpwards(const std::string& top, absl::string_view group,
                 int (*quota_of)(const std::string&)) {
  int least = quota_of(top);
  for (std::string path(group); path.size() > 1; path.resize(path.rfind('/'))) {
    least = std::min(least, quota_of(top + path));
  }
  return least;
}

}  // namespace

int UsableProcessors(const std::string& root) {
  int least = Affine();
  std::ifstream groups(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(groups, line)) {
    // hierarchy:controllers:path; version 2 has hierarchy 0 and names no controllers.
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || fields[2].empty() || fields[2][0] != '/') continue;
    const std::vector<absl::string_view> controllers = absl::StrSplit(fields[1], ',');
    const std::string mounted = root + "/sys/fs/cgroup";
    if (fields[1].empty()) {
      least = std::min(least, LeastUpwards(mounted, fields[2], QuotaV2));
    } else if (std::find(controllers.begin(), controllers.end(), "cpu") != controllers.end()) {
      least = std::min(least, LeastUpwards(absl::StrCat(mounted, "/cpu"), fields[2], QuotaV1));
    }
  }
  return std::max(1, least);
}

}  // namespace predial
