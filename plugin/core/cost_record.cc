#include "plugin/core/cost_record.h"

#include <algorithm>
#include <cmath>

namespace predial {

bool IsUnlike(const WindowLoad& one, const WindowLoad& other, double much) {
  const double chance = std::sqrt(1 / std::max(1.0, one.begun) + 1 / std::max(1.0, other.begun));
  const double limit = std::log(1 + much) + 2 * chance;
  const auto change = [](double from, double to) {
    return std::log(std::max(to, 1e-3) / std::max(from, 1e-3));
  };
  const double in_flight = change(one.in_flight, other.in_flight);
  const double rate = change(one.rate, other.rate);
  return (in_flight > limit && rate > limit) || (in_flight < -limit && rate < -limit);
}

void CostRecord::Add(double cost, const WindowLoad& load) {
  if (costs_.size() == max_) {
    costs_.erase(costs_.begin());
    loads_.erase(loads_.begin());
  }
  costs_.push_back(cost);
  loads_.push_back(load);
}

void CostRecord::Clear() {
  costs_.clear();
  loads_.clear();
}

double CostRecord::Mean() const {
  double sum = 0;
  for (const double cost : costs_) sum += cost;
  return costs_.empty() ? 0 : sum / static_cast<double>(costs_.size());
}

double CostRecord::Scatter() const {
  constexpr double kLeast = 0.01;
  if (costs_.size() < 2) return kLeast;
  const double mean = Mean();
  double squares = 0;
  for (const double cost : costs_) squares += (cost - mean) * (cost - mean);
  return std::max(kLeast, std::sqrt(squares / static_cast<double>(costs_.size() - 1)) / mean);
}

WindowLoad CostRecord::MeanLoad() const {
  WindowLoad sum;
  for (const WindowLoad& load : loads_) {
    sum.in_flight += load.in_flight;
    sum.rate += load.rate;
    sum.begun += load.begun;
  }
  const double count = std::max<double>(1, static_cast<double>(loads_.size()));
  return {sum.in_flight / count, sum.rate / count, sum.begun};
}

}  // namespace predial
