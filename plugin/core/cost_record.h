// CostRecord: what RPCs took over the last windows of time, and at what load. Pure.
//
// Threads: thread-compatible.
#pragma once

#include <cstddef>
#include <vector>

namespace predial {

// The load of a window: RPCs in flight, and begun per second.
struct WindowLoad {
  double in_flight = 0;
  double rate = 0;
  double begun = 0;  // RPCs, which tell what chance does to the other two
};

// Whether both the RPCs in flight and their rate differ, in the same direction, by more than a
// share of `much` and two standard deviations of a Poisson count. Then callers have come or gone;
// where RPCs only take another time, at most one of the two changes (a given number of callers, or
// a given rate), or one rises and the other falls.
bool IsUnlike(const WindowLoad& one, const WindowLoad& other, double much);

class CostRecord {
 public:
  // Of the last `max` windows.
  explicit CostRecord(int max) : max_(static_cast<size_t>(max)) {}

  // `cost`: the mean time of the window's RPCs, in seconds.
  void Add(double cost, const WindowLoad& load);
  void Clear();

  int count() const { return static_cast<int>(costs_.size()); }
  double Mean() const;  // 0 without windows
  // The standard deviation of one window's cost, as a share of the mean; at least 1 %.
  double Scatter() const;
  // The means; `begun` is the sum.
  WindowLoad MeanLoad() const;

 private:
  size_t max_;
  std::vector<double> costs_;
  std::vector<WindowLoad> loads_;
};

}  // namespace predial
