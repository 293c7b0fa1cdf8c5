// TraceRecorder: records the load of a pool, for AdviseSize().
//
//   predial::TraceRecorder recorder(channel);
//   while (…) { recorder.Sample(); … a second or so … }
//
// It has no thread of its own: whoever has a timer calls Sample(). A sample costs what
// PooledChannel::Stats() does, and 64 bytes.
//
// Threads:   thread-compatible.
// Ownership: shares the channel.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "plugin/advise_size.h"
#include "plugin/pooled_channel.h"
#include "plugin/stats.h"

namespace predial {

class TraceRecorder {
 public:
  // The oldest samples are dropped above this: a day of seconds.
  static constexpr size_t kSamplesMax = 86400;

  explicit TraceRecorder(std::shared_ptr<PooledChannel> channel);

  // Records the load now, and the rate since the sample before (the first one records none). Too
  // soon after that, nothing: time has to pass between the two.
  void Sample();

  // The oldest first.
  std::vector<LoadPoint> trace() const { return {points_.begin(), points_.end()}; }

  // The step from one snapshot to another, for those who have snapshots of their own. The latency
  // is the measured one, if the pool measures (SizingKind::kAdaptive, latency_outlier_factor); else
  // by Little's law, from the RPCs in flight at both ends and the rate.
  static LoadPoint Step(const PoolStats& before, absl::Time before_time, const PoolStats& after,
                        absl::Time after_time);

 private:
  const std::shared_ptr<PooledChannel> channel_;
  PoolStats last_;
  absl::Time last_time_ = absl::InfinitePast();
  std::deque<LoadPoint> points_;
};

}  // namespace predial
