// RpcSeries: the numbers of one method.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "plugin/core/types.h"
#include "plugin/metrics/histogram_bounds.h"
#include "plugin/metrics/sharded_counters.h"
#include "plugin/metrics/sharded_histogram.h"
#include "plugin/observer.h"

namespace predial {

// The values of the grpc_code label, as go-grpc-prometheus names them: a grpc::StatusCode's by its
// number, then that of PoolEvents::kUnobserved.
inline constexpr std::array<const char*, 18> kCodeNames = {
    "OK",       "Canceled",        "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",   "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",      "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated", "Unobserved"};

// Threads:   everything is thread-safe and lock-free.
// Ownership: refers to the bounds of its histogram, which must outlive it.
// Order:     a reader who takes handled() before started() never sees more RPCs end than start.
class RpcSeries {
 public:
  // `key` is what the series is found by.
  RpcSeries(RpcType type, std::string service, std::string method, std::string key,
            const HistogramBounds& bounds)
      : type(type),
        service(std::move(service)),
        method(std::move(method)),
        key(std::move(key)),
        latency(bounds) {}

  void Started() { counters_.Local().Add(kStarted, 1); }

  // A code that gRPC does not have counts as Unknown.
  void Ended(int code, Duration took) {
    latency.Record(took);
    counters_.Local().Add(kHandled + CodeIndex(code), 1);
  }

  uint64_t started() const { return counters_.Sum(kStarted); }
  // `code_index` is an index of kCodeNames.
  uint64_t handled(size_t code_index) const { return counters_.Sum(kHandled + code_index); }

  const RpcType type;
  const std::string service;
  const std::string method;
  const std::string key;
  ShardedHistogram latency;

 private:
  static constexpr size_t kStarted = 0;
  static constexpr size_t kHandled = 1;
  static constexpr size_t kUnknownIndex = 2;
  static constexpr size_t kUnobservedIndex = kCodeNames.size() - 1;

  static size_t CodeIndex(int code) {
    if (code >= 0 && static_cast<size_t>(code) < kUnobservedIndex) return static_cast<size_t>(code);
    return code == PoolEvents::kUnobserved ? kUnobservedIndex : kUnknownIndex;
  }

  ShardedCounters counters_{kHandled + kCodeNames.size()};
};

}  // namespace predial
