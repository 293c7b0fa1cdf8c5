// GrpcLog: keeps what gRPC's log is told, Predial's own lines included, while it lives. For tests.
//
// Threads: lines come from any thread. One at a time.
#pragma once

#include <grpc/support/log.h>

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "plugin/mutex.h"

namespace predial {

class GrpcLog {
 public:
  // Lines of this severity and above, whatever GRPC_VERBOSITY says.
  explicit GrpcLog(gpr_log_severity lowest) {
    lines().Clear();
    gpr_set_log_verbosity(lowest);
    gpr_set_log_function([](gpr_log_func_args* args) { lines().Add(args->message); });
  }
  ~GrpcLog() {
    gpr_set_log_function(nullptr);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  }
  GrpcLog(const GrpcLog&) = delete;
  std::vector<std::string> Get() const { return lines().Get(); }

 private:
  class Lines {
   public:
    void Clear() {
      MutexLock lock(mutex_);
      lines_.clear();
    }
    void Add(const char* line) {
      MutexLock lock(mutex_);
      lines_.push_back(line);
    }
    std::vector<std::string> Get() {
      MutexLock lock(mutex_);
      return lines_;
    }

   private:
    Mutex mutex_;
    std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
  };
  // For ever: gRPC's threads may log at any time.
  static Lines& lines() {
    static Lines* const lines = new Lines;
    return *lines;
  }
};

}  // namespace predial
