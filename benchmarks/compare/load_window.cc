#include "benchmarks/compare/load_window.h"

#include "absl/strings/str_cat.h"
#include "benchmarks/compare/process_usage.h"

namespace predial {

void LoadWindow::Open() {
  MutexLock lock(mutex_);
  report_ = LoadReport();
  cpu_seconds_ = CpuSeconds();
  opened_ = Clock::now();
  open_ = true;
}

LoadReport LoadWindow::Close() {
  MutexLock lock(mutex_);
  open_ = false;
  report_.seconds = std::chrono::duration<double>(Clock::now() - opened_).count();
  report_.cpu_seconds = CpuSeconds() - cpu_seconds_;
  return report_;
}

void LoadWindow::Record(Clock::time_point began, const grpc::Status& status) {
  const Clock::time_point ended = Clock::now();
  MutexLock lock(mutex_);
  if (!open_) return;
  if (status.ok()) {
    ++report_.rpcs;
    report_.latencies.Add(std::chrono::nanoseconds(ended - began).count());
  } else if (report_.lost++ == 0) {
    report_.first_lost = absl::StrCat(status.error_code(), ": ", status.error_message());
  }
}

}  // namespace predial
