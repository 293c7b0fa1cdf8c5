// How many processors this process may use: fewer than the machine has, in most containers.
#pragma once

#include <string>

namespace predial {

// The least of what the scheduler lets the main thread run on (sched_getaffinity), and what the
// process's control groups give it in time (cpu.max of version 2, cpu.cfs_quota_us of version 1,
// rounded up). At least 1. What cannot be read does not limit. `root` is what stands before /proc
// and /sys: for tests. Thread-safe; reads a few small files.
int UsableProcessors(const std::string& root = "");

}  // namespace predial
