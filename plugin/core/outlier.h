// OutlierJudge: which members answer so much slower than their peers that they should get fewer
// RPCs, and how many fewer. Pure.
//
// Once per window each member that was answered often enough is held against the median of its
// peers' mean latencies in their last such windows:
//   mean > factor * median, and 1 ms above it       one step lighter (4 -> 3 -> 2 -> 1)
//   mean < (1 + factor) / 2 * median                one step heavier again
//   between                                         as it is: so that it does not flutter
// The lightest still gets a quarter of a full share: a floor, and what brings the samples that
// bring it back. One that is not answered often enough any more gets heavier by a step per
// kForget: its last window proves nothing today. Never are more than half of the members light:
// what most of them are is the normal, and if one has to choose, the slowest are the outliers.
//
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "plugin/core/types.h"

namespace predial {

struct OutlierPolicy {
  double factor = 0;  // above 1; 0: off
};

class OutlierJudge {
 public:
  static constexpr int kFull = 4;  // the weight of one that is as fast as its peers
  static constexpr Duration kWindow = std::chrono::seconds(1);
  static constexpr uint64_t kSamplesMin = 20;
  static constexpr Duration kForget = std::chrono::seconds(10);
  // Below it, a difference is the noise of scheduling.
  static constexpr Duration kDifferenceMin = std::chrono::milliseconds(1);

  explicit OutlierJudge(const OutlierPolicy& policy) : policy_(policy) {}

  // What a ready member has counted since it became ready: answered RPCs, and their latencies
  // together. Both never fall.
  struct Sample {
    MemberId member;
    uint64_t answered;
    Duration latency;
  };
  struct Change {
    MemberId member;
    int weight;
    Duration mean;
    Duration median;  // of its peers
  };
  // All ready members; those that are missing are forgotten. Returns whose weight has changed.
  std::vector<Change> OnSamples(Time now, const std::vector<Sample>& samples);

  // 1 to kFull.
  int WeightOf(MemberId member) const;

 private:
  struct Record {
    int weight = kFull;
    // Where its present window began.
    Time since;
    uint64_t answered = 0;
    Duration latency = {};
    // Of its last full window; not known without one, or when that is kForget old.
    bool known = false;
    Duration mean = {};
    Time known_at = {};  // or since when it is not
  };

  // The mean latency that half of the others stay within; nullptr without others.
  const Duration* MedianOfPeers(MemberId member, std::vector<Duration>& scratch) const;

  const OutlierPolicy policy_;
  Time judged_ = {};
  std::map<MemberId, Record> records_;
};

}  // namespace predial
