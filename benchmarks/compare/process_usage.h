// What this process has used, as the kernel says.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

namespace predial {

// User and system time of all threads so far.
double CpuSeconds();

struct ProcessUsage {
  int64_t peak_kib = 0;           // resident, the most there ever was (VmHWM)
  int64_t private_dirty_kib = 0;  // now, for itself (smaps_rollup)
  int threads = 0;                // now
  int sockets = 0;                // now; one that has several descriptors counts once
};

// UNAVAILABLE: /proc does not say it.
absl::StatusOr<ProcessUsage> ReadProcessUsage();

}  // namespace predial
