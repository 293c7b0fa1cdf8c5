// AdviseSize: from a trace of a pool's load, what its size options should be, and why.
//
//   predial::TraceRecorder recorder(channel);          // plugin/trace_recorder.h
//   … recorder.Sample() every second or so, over a usual day …
//   const auto advice = predial::AdviseSize(recorder.trace());
//   if (advice.ok()) std::cout << advice->ToString();
//
// What it goes by:
//   L   RPCs in flight and waiting for a place. Where a sample has none, Little's law, L = X * W
//       (J. D. C. Little, 1961), from the rate X and the latency W
//   T   streams_per_connection_target: kDefaultTarget, unless the trace shows better. RPCs that
//       share a connection slow each other down at some point: samples are compared by RPCs per
//       connection, those with the least of them (the lowest quarter) being the measure. If their
//       latency is kept, within kSlower, up to more than T, T is that; if it is lost below T, T is
//       the most that keeps it. Never above 80 % of the stream limit
//   connections_min  ceil(median L / T), at least kRedundant: the usual load needs no dial, and the
//                    loss of one connection does not stop it
//   connections_max  ceil(kHeadroom * peak L / T): what the worst moment of the trace needs, and a
//                    quarter more
//
// Threads: thread-compatible; keeps nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plugin/options.h"

namespace predial {

// The load of a pool at one time.
struct LoadPoint {
  absl::Time time;
  double in_flight = 0;         // RPCs on connections
  double waiting = 0;           // RPCs that waited for a place, or found no connection
  double rpcs_per_second = 0;   // begun; 0: unknown
  absl::Duration latency = {};  // mean time of an RPC; 0: unknown
  int connections = 0;          // that took RPCs; 0: unknown
  uint32_t stream_limit = 0;    // the peer's SETTINGS_MAX_CONCURRENT_STREAMS; 0: none
};

struct SizeAdvice {
  static constexpr int kDefaultTarget = 32;
  static constexpr double kSlower = 1.25;
  static constexpr int kRedundant = 2;
  static constexpr double kHeadroom = 1.25;

  int connections_min = 0;
  int connections_max = 0;
  int streams_per_connection_target = 0;
  // In words: one for each field, and what else the trace showed.
  std::vector<std::string> reasons;

  void ApplyTo(PoolOptions& options) const;
  std::string ToString() const;  // the fields and the reasons, a line each
};

// INVALID_ARGUMENT, with the sample's index and the reason: an empty trace; times that do not rise;
// a number that is negative or not one; no sample with a load.
absl::StatusOr<SizeAdvice> AdviseSize(const std::vector<LoadPoint>& trace);

}  // namespace predial
