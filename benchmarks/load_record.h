// LoadRecord: what became of the RPCs of one load, and when. A program that breaks something at a
// known time reads from it how long that lasted.
//
// Threads: thread-safe. Times are passed in, in nanoseconds of CLOCK_MONOTONIC (std::steady_clock,
//          Python's time.monotonic_ns()): the same in all processes of a machine.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "plugin/mutex.h"

namespace predial {

class LoadRecord {
 public:
  static constexpr int64_t kBucketNanos = 10'000'000;  // of the two timelines
  static constexpr int64_t kGapNanosMin = 20'000'000;  // shorter ones are not listed
  static constexpr int kLossesMax = 10'000;            // listed one by one; all are counted
  static constexpr int kCausesMax = 50;                // further ones are "other"
  static constexpr int kBucketsMax = 100'000;          // 1000 s; later RPCs count into the last

  explicit LoadRecord(int64_t began) : began_(began), last_success_(began) {}

  void OnSuccess(int64_t ended);
  // An RPC that ended with a status other than OK.
  void OnLost(int64_t rpc_began, int64_t ended, int code, absl::string_view message);
  // An RPC that ended with OK and the wrong answer.
  void OnWrong();

  // The fields of a JSON object, without its braces; to be called once, when all RPCs have ended:
  //   rpcs, ok, wrong, lost            counts; rpcs is the sum of the other three
  //   began, ended                     of the load
  //   bucket                           nanoseconds in each entry of the next two
  //   ok_timeline, lost_timeline       RPCs by the time of their end
  //   gaps                             [from, to] without any success in between; the first begins
  //                                    with the load, the last ends with it
  //   worst_gap                        the longest, listed or not, in nanoseconds
  //   causes                           [{code, message, count}], of those lost
  //   losses                           [began, ended, code] of each lost RPC
  std::string FinishAsJson(int64_t ended);

 private:
  static void Add(std::vector<int>& timeline, int64_t since_began);
  void AddGap(int64_t until) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  struct Loss {
    int64_t began;
    int64_t ended;
    int code;
  };

  const int64_t began_;
  Mutex mu_;
  int64_t ok_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t wrong_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t lost_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t last_success_ ABSL_GUARDED_BY(mu_);
  int64_t worst_gap_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::pair<int64_t, int64_t>> gaps_ ABSL_GUARDED_BY(mu_);
  std::vector<int> ok_timeline_ ABSL_GUARDED_BY(mu_);
  std::vector<int> lost_timeline_ ABSL_GUARDED_BY(mu_);
  std::map<std::pair<int, std::string>, int64_t> causes_ ABSL_GUARDED_BY(mu_);
  std::vector<Loss> losses_ ABSL_GUARDED_BY(mu_);
};

// `text` as a JSON string, with its quotes. What is not printable ASCII becomes an escape, byte by
// byte.
std::string JsonString(absl::string_view text);

}  // namespace predial
