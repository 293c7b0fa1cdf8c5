// LoadWindow: what a load did within the time that counts, after its warm-up.
//
// Threads: thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "benchmarks/compare/latency_histogram.h"
#include "grpcpp/support/status.h"
#include "plugin/mutex.h"

namespace predial {

struct LoadReport {
  int64_t rpcs = 0;        // ended with success
  int64_t lost = 0;        // ended with anything else, or with a wrong answer
  std::string first_lost;  // "14: connection refused"
  double seconds = 0;
  double cpu_seconds = 0;      // of this process
  LatencyHistogram latencies;  // of those with success
};

class LoadWindow {
 public:
  using Clock = std::chrono::steady_clock;

  // Begins to count; what ended before is forgotten.
  void Open();
  // Ends counting. CPU time and time are those from Open() to here.
  LoadReport Close();

  // An RPC has ended that began, or should have begun, at `began`. It counts if the window is open.
  void Record(Clock::time_point began, const grpc::Status& status);

 private:
  Mutex mutex_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  Clock::time_point opened_ ABSL_GUARDED_BY(mutex_);
  double cpu_seconds_ ABSL_GUARDED_BY(mutex_) = 0;
  LoadReport report_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace predial
