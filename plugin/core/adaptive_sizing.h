// AdaptiveSizing: finds, by trying, the number of members that serves the present load best. Pure.
//
// Best, at a load, is the size in [floor, max] with the least mean time W from an RPC's begin to
// its answer. By Little's law L = X * W (J. D. C. Little, 1961: RPCs in flight, rate, time), so for
// callers of whom so many wait at a time (L given) it is the size with the most throughput X, and
// for those who send at a rate of their own (X given) the one with the fewest RPCs in flight.
//
// A climb. The size starts as the demand's (Sizing). W is measured over windows, and the gradient
// by a probe: another size, from a factor of 2 away down to one member, is held until its windows
// tell.
//   - accepted if W is lower by more than kGainMin and by kSigmas standard errors; then it goes on
//     in that direction
//   - rejected, and back, if that cannot be shown within kProbeWindows; then comes the other
//     direction, then a smaller factor, then a rest: kRest, doubled each time nothing was found, up
//     to kRestMax
// At a rest the demand's size takes the place of one that is not kGainMin better.
//
// A window counts only while as many members are ready as were ordered, and not until RPCs that
// began before have been answered. Only windows of like load are compared. A load is another one if
// RPCs in flight and their rate have both grown, or both fallen, by more than kUnlike and what
// chance does: more members alone move at most one of them, or the two in opposite directions.
//
// Safe when it is wrong:
//   - never below `floor`: what the stream limits need, so that no RPC waits for a stream
//   - a new load begins at the demand's size; the size that was best before, and the demand's own
//     if it has not been measured, are the first probes
//   - more load than twice what was measured, with the demand above the size: the demand's, at once
//   - W above the baseline, which is W at the demand's size, or higher than before by kShift: back
//     to the demand's size, and no probe for kRetry, doubled each time, up to kRestMax
//   - a size at which the RPCs in flight double at an unchanged rate is left at once; it, and
//     smaller ones, are not tried again for kRest, doubled each time, up to kRestMax
//   - at most kProbesMax probes in a row, and one more each kProbeSpacing
//   - without kSamplesMin answers in kWindowMax there is nothing to compare: the size stays, and
//     after idle_timeout of that the demand has it again
//
// Threads: thread-compatible. Same samples + same seed = same sizes: the seed sets the lengths of
// rests and the first direction, so that clients of one server do not probe in step.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "plugin/core/cost_record.h"
#include "plugin/core/types.h"

namespace predial {

struct AdaptivePolicy {
  int min = 2;
  int max = 16;
  Duration idle_timeout = std::chrono::seconds(30);
};

class AdaptiveSizing {
 public:
  static constexpr Duration kWindow = std::chrono::milliseconds(200);  // at least
  static constexpr Duration kWindowMax = std::chrono::seconds(2);
  static constexpr uint64_t kSamplesMin = 50;  // answers in a window
  static constexpr int kBaseWindows = 8;       // before the first probe
  static constexpr int kProbeWindows = 30;     // at most; also what is remembered of the base
  static constexpr double kGainMin = 0.03;
  static constexpr double kSigmas = 2;
  static constexpr double kUnlike = 0.2;  // see IsUnlike()
  static constexpr double kShift = 0.25;
  static constexpr int kOdd = 3;  // windows in a row that say the same, to be believed
  static constexpr Duration kRest = std::chrono::seconds(15);
  static constexpr Duration kRetry = std::chrono::seconds(5);
  static constexpr Duration kRestMax = std::chrono::minutes(1);
  static constexpr Duration kCalm = std::chrono::minutes(1);  // without a fall: kRetry begins anew
  static constexpr int kProbesMax = 20;
  static constexpr Duration kProbeSpacing = std::chrono::seconds(5);
  // For the ordered members to be ready, and for RPCs of before to be answered.
  static constexpr Duration kPatience = std::chrono::seconds(10);

  // What was seen since the sample before.
  struct Sample {
    int64_t in_flight = 0;  // now, those that wait included
    uint64_t rpcs = 0;      // begun
    uint64_t answered = 0;  // and measured, with their times together:
    Duration latency = {};
    int ready = 0;   // members now
    int wanted = 0;  // by the demand's last load
    int kept = 0;    // the demand's size: wanted, and not yet to go
    int floor = 0;   // what the stream limits need
  };

  AdaptiveSizing(const AdaptivePolicy& policy, uint64_t seed, Time start, int size);

  void OnSample(Time now, const Sample& sample);

  int size() const { return size_; }
  // The demand decides: its size, when it shrinks included.
  bool follows() const { return phase_ == Phase::kFollow; }
  // When the size is due to change if no RPC comes; Time::max() if follows().
  Time NextChange() const;
  // Why size() is what it is.
  const std::string& reason() const { return reason_; }

 private:
  enum class Phase { kFollow, kBase, kProbe };

  struct Window {
    Time since{};
    int64_t looks = 0;
    int64_t in_flight = 0;  // of all looks
    uint64_t rpcs = 0;
    uint64_t answered = 0;
    Duration latency = {};
  };
  // A window that counts, if `sample` ends one; `cost` is W, in seconds.
  struct Measured {
    double cost;
    WindowLoad load;
  };
  std::optional<Measured> Measure(Time now, const Sample& sample);
  // What must not wait for windows. True if it changed the size.
  bool Guard(Time now, const Sample& sample);
  void OnBaseWindow(Time now, const Sample& sample, const Measured& measured);
  // Whether the base is still what it was; if not, begins anew.
  bool IsBaseValid(Time now, const Sample& sample, const Measured& measured);
  void OnProbeWindow(Time now, const Sample& sample, const Measured& measured);
  // Costs known so far are void: `size` is the base.
  void Begin(Time now, int size, std::string reason);
  // The load is another one: the demand's size is the base.
  void BeginLoad(Time now, const Sample& sample, std::string reason);
  void FallBack(Time now, const Sample& sample, const char* why);
  void StartProbe(Time now, const Sample& sample);
  // The next size to probe; 0 if there is none.
  int Candidate(const Sample& sample);
  void Turn();
  void Accept(double gain);
  void Reject(Time now, const char* why);
  void Rest(Time now, const Sample& sample);
  void NoteDefault(int size, const CostRecord& record);
  void SetSize(Time now, int size, std::string reason);
  bool MayProbe(Time now);  // within the budget
  // `unit` * 2^times, at most kRestMax, and up to a quarter longer or shorter.
  Duration Backoff(Duration unit, int times);
  double Random();  // in [0, 1)

  const AdaptivePolicy policy_;
  std::mt19937_64 random_;
  Phase phase_ = Phase::kFollow;
  int size_;
  std::string reason_;

  Time last_sample_;
  Time last_window_;  // the last that counted
  Time changed_at_;   // the size
  // The ordered members are ready; windows count from then on.
  bool settled_ = false;
  Time settled_at_{};
  Window window_;

  int base_ = 0;
  bool chosen_ = false;  // by a probe, or by the floor; not the demand's size, and goes with it
  CostRecord base_record_{kProbeWindows};
  int fresh_ = 0;  // windows at the base since the last probe
  // What the base's first windows were like, against which later ones are held; the load is empty
  // until it is measured.
  WindowLoad base_load_;
  double base_cost_ = 0;
  int odd_loads_ = 0;  // windows in a row
  int odd_costs_ = 0;
  CostRecord probe_record_{kProbeWindows};
  // The baseline: the cost at the demand's size, when that was default_size_; 0: not known.
  int default_size_ = 0;
  double default_cost_ = 0;
  double default_error_ = 0;  // its standard error
  bool default_tried_ = false;
  // The largest size at which RPCs piled up, and how long it is remembered.
  int piled_up_ = 0;
  Time piled_until_{};
  int pile_ups_ = 0;  // at this load

  int last_best_ = 0;  // of the loads so far; 0: none
  int hint_ = 0;       // last_best_, until it has been tried at this load
  int step_ = 0;       // index of the factor
  bool up_ = true;     // the direction
  int turns_ = 0;      // directions tried with this factor
  std::set<int> rejected_;
  int rests_ = 0;
  Time rest_until_{};
  int falls_ = 0;
  Time fell_at_{};
  Time retry_at_{};
  double tokens_ = kProbesMax;
  Time tokens_at_;
};

}  // namespace predial
