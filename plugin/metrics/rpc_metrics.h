// RpcMetrics: counts RPCs by kind, service and method, under the names that gRPC users already
// chart.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "plugin/core/types.h"
#include "plugin/metrics/histogram_bounds.h"
#include "plugin/metrics/metric_family.h"
#include "plugin/metrics/rpc_series.h"
#include "plugin/mutex.h"
#include "plugin/observer.h"

namespace predial {

// grpc_client_started_total, grpc_client_handled_total and grpc_client_handling_seconds.
//
//   (type, "/pkg.Svc/Method") --hash--> slots_[i], slots_[i+1], … --> RpcSeries
//
// The slots are a hash table with open addressing that only grows: a slot is written once, under
// the mutex, and read without it. At most half of it is filled, so every search ends soon.
//
// Threads:   everything is thread-safe. Start() takes the mutex, and allocates, only for a method
//            that is new; a shard of a series is allocated when the first thread of it comes.
// Ownership: owns its series; they live, at the same address, as long as the RpcMetrics.
// Limits:    `methods_max` series with names of their own. A method beyond them counts as service
//            "other", method "other"; a malformed name (see SplitMethod()) as "unknown", "unknown".
//            A series costs about 0.5 KiB and 0.4 KiB for each of the up to 16 shards in use.
class RpcMetrics {
 public:
  // `methods_max` >= 1.
  RpcMetrics(std::vector<double> latency_buckets, int methods_max);
  ~RpcMetrics();
  RpcMetrics(const RpcMetrics&) = delete;
  RpcMetrics& operator=(const RpcMetrics&) = delete;

  // Counts the start of an RPC. Its end is to be reported to the returned series, which is never
  // null.
  RpcSeries* Start(RpcType type, absl::string_view method);

  // Appends the families. Within one series no more RPCs have ended than have started.
  void Collect(Families* families) const;

 private:
  using PerType = std::array<std::unique_ptr<RpcSeries>, kRpcTypes>;

  PerType MakeShared(const char* name) const;
  // The series, or nullptr if it is not in the table.
  RpcSeries* Find(size_t hash, RpcType type, absl::string_view method) const;
  RpcSeries* FindOrAdd(size_t hash, RpcType type, absl::string_view method);

  const HistogramBounds bounds_;
  const size_t methods_max_;
  const size_t slots_mask_;
  const std::unique_ptr<std::atomic<RpcSeries*>[]> slots_;  // slots_mask_ + 1, a power of two
  const PerType other_;
  const PerType unknown_;
  // Set, for ever, when series_ has methods_max_ entries.
  std::atomic<bool> full_{false};

  mutable Mutex mu_;
  std::vector<std::unique_ptr<RpcSeries>> series_ ABSL_GUARDED_BY(mu_);
};

}  // namespace predial
