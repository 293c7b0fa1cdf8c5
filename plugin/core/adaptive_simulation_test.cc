// The adaptive size beside the best fixed one and beside the default's, in a simulated service
// whose cost over sizes is known, under loads that change their shape.
//
// Each seed is a life of six loads, three minutes each: closed and open ones, with turns on a
// connection, servers that get slower with connections, both, and stream limits; with noise. The
// best fixed size of each load is found by trying all. Costs are averaged over the time after
// kSettling, in which the controller may find out that the load is another one, and search.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/core/service_model.h"
#include "plugin/core/size_controller.h"
#include "plugin/core/sizing.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);
constexpr int kTicks = 1800;    // of one load
constexpr int kSettling = 750;  // of these
constexpr int kLoads = 6;       // of one seed
constexpr int kSeeds = 100;

double Uniform(std::mt19937_64& random, double low, double high) {
  return low + (high - low) * std::uniform_real_distribution<double>()(random);
}

ServiceShape RandomShape(std::mt19937_64& random) {
  ServiceShape shape;
  shape.open = Uniform(random, 0, 1) < 0.4;
  shape.service = Uniform(random, 0.002, 0.05);
  shape.callers = std::exp(Uniform(random, std::log(20), std::log(1000)));
  const int kind = static_cast<int>(Uniform(random, 0, 5));
  if (kind == 0 || kind == 2) shape.serial = shape.service * Uniform(random, 2, 32) / shape.callers;
  if (kind == 1 || kind == 2) shape.slowdown = Uniform(random, 0.01, 0.2);
  if (kind == 4) shape.slowdown = Uniform(random, 0.01, 0.05);
  if (kind >= 3) {
    shape.limit = Uniform(random, 0, 1) < 0.5 ? 100 : std::floor(Uniform(random, 20, 220));
    // With all members they are not full, even when the server is slow.
    shape.callers = std::min(shape.callers, shape.limit * 0.8 * 8);
  }
  shape.rate = shape.callers / shape.service;
  // Half of the members could take an open load; below, a backlog grows while one looks.
  if (shape.open) shape.serial = std::min(shape.serial, 0.9 * 8 / shape.rate);
  return shape;
}

// One controller, its members, and what its RPCs took.
class Contender {
 public:
  Contender(SizingKind kind, uint64_t seed, Time start) : controller_(Policy(kind), seed, start) {}

  void Tick(Time now, const ServiceModel& model, double noise, std::mt19937_64& random) {
    controller_.OnLoad(now, model.Look(size_, kTick, noise, random));
    // They are ready, or gone, by the next tick.
    size_ = std::min(std::max(size_, controller_.wanted()), controller_.Kept(now));
  }
  int size() const { return size_; }

  static SizingPolicy Policy(SizingKind kind) {
    SizingPolicy policy;
    policy.kind = kind;
    return policy;
  }

 private:
  SizeController controller_;
  int size_ = SizingPolicy().min;
};

struct Outcome {
  double to_best = 0;     // cost by the best fixed size's
  double to_default = 0;  // by the default's
  double default_to_best = 0;
  std::string text;
};

// The least MeanCost() of a size that leaves a fifth of the streams free, as AdaptiveSizing has it.
double BestFixed(const ServiceShape& shape, const std::vector<double>& costs, int* best) {
  *best = static_cast<int>(costs.size()) - 1;
  for (int size = SizingPolicy().min; size < static_cast<int>(costs.size()); ++size) {
    const double in_flight = shape.open ? shape.rate * costs[size] : shape.callers;
    if (shape.limit > 0 && in_flight > std::floor(0.8 * shape.limit) * size) continue;
    if (costs[size] < costs[*best]) *best = size;
  }
  return costs[*best];
}

std::vector<Outcome> Live(uint64_t seed) {
  std::mt19937_64 random(seed);
  Time now = Time() + std::chrono::hours(1);
  const double noise = Uniform(random, 0.02, 0.1);
  Contender adaptive(SizingKind::kAdaptive, seed, now);
  Contender by_demand(SizingKind::kDemand, seed, now);
  std::vector<Outcome> outcomes;
  for (int load = 0; load < kLoads; ++load) {
    const ServiceShape shape = RandomShape(random);
    const ServiceModel model(shape);
    std::vector<double> costs(SizingPolicy().max + 1);
    for (int size = 1; size <= SizingPolicy().max; ++size) costs[size] = model.MeanCost(size);
    double cost = 0;
    double default_cost = 0;
    for (int tick = 0; tick < kTicks; ++tick) {
      now += kTick;
      adaptive.Tick(now, model, noise, random);
      by_demand.Tick(now, model, noise, random);
      if (tick < kSettling) continue;
      cost += costs[adaptive.size()] / (kTicks - kSettling);
      default_cost += costs[by_demand.size()] / (kTicks - kSettling);
    }
    int best_size;
    const double best = BestFixed(shape, costs, &best_size);
    outcomes.push_back(
        {cost / best, cost / default_cost, default_cost / best,
         absl::StrCat("seed ", seed, ", load ", load, shape.open ? " (open, " : " (closed, ",
                      shape.callers, " callers, ", shape.service, " s, turn ", shape.serial,
                      " s, slowdown ", shape.slowdown, ", limit ", shape.limit, ", noise ", noise,
                      "): best ", best_size, "; adaptive ", adaptive.size(), " x", cost / best,
                      "; default ", by_demand.size(), " x", default_cost / best)});
  }
  return outcomes;
}

TEST(AdaptiveSimulationTest, IsWithinTenPercentOfTheBestFixedSizeAndNotWorseThanTheDefault) {
  double sum = 0;
  double default_sum = 0;
  int above = 0;
  int worse = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    double to_best = 0;
    double to_default = 0;
    for (const Outcome& outcome : Live(seed)) {
      to_best += outcome.to_best / kLoads;
      to_default += outcome.to_default / kLoads;
      default_sum += outcome.default_to_best / (kLoads * kSeeds);
      if (outcome.to_best > 1.10) ++above;
      if (outcome.to_default > 1.03) ++worse;
      if (outcome.to_best > 1.10 || outcome.to_default > 1.03) std::cout << outcome.text << "\n";
      // The worst single load: where the best size is just above one that RPCs pile up with, a
      // moment below it costs more than minutes above.
      EXPECT_LE(outcome.to_best, 1.40) << outcome.text;
      EXPECT_LE(outcome.to_default, 1.20) << outcome.text;
    }
    EXPECT_LE(to_best, 1.10) << "seed " << seed;
    EXPECT_LE(to_default, 1.02) << "seed " << seed;
    sum += to_best / kSeeds;
  }
  std::cout << "mean cost, best fixed = 1: adaptive " << sum << ", default " << default_sum
            << "; of " << kLoads * kSeeds << " loads " << above << " above 1.10 of the best, "
            << worse << " above 1.03 of the default\n";
  EXPECT_LE(sum, 1.03);
  EXPECT_LE(above, kLoads * kSeeds / 50);
  EXPECT_LE(worse, kLoads * kSeeds / 50);
}

TEST(AdaptiveSimulationTest, TheBestSizesDifferSoThatNoFixedOneWouldDo) {
  std::mt19937_64 random(1);
  std::vector<int> counts(SizingPolicy().max + 1);
  for (int i = 0; i < 300; ++i) {
    const ServiceShape shape = RandomShape(random);
    std::vector<double> costs(counts.size());
    for (int size = 1; size < static_cast<int>(costs.size()); ++size) {
      costs[size] = ServiceModel(shape).MeanCost(size);
    }
    int best;
    BestFixed(shape, costs, &best);
    ++counts[best];
  }
  EXPECT_GT(counts[2], 20);
  EXPECT_GT(counts[16], 20);
  EXPECT_GT(std::count_if(counts.begin(), counts.end(), [](int count) { return count > 0; }), 10);
}

TEST(ServiceModelTest, IsLittlesLawAtTheLimits) {
  // No turns: an RPC takes its service time, whatever the connections.
  ServiceShape shape;
  shape.callers = 100;
  shape.service = 0.01;
  EXPECT_DOUBLE_EQ(ServiceModel(shape).Cost(4), 0.01);
  // Nothing but turns: all 25 on a connection wait for each other.
  shape.service = 1e-9;
  shape.serial = 0.001;
  EXPECT_NEAR(ServiceModel(shape).Cost(4), 0.025, 1e-4);
  // Ten at a time of the hundred on two connections: five turns of waiting.
  shape.service = 0.01;
  shape.serial = 0;
  shape.limit = 10;
  EXPECT_DOUBLE_EQ(ServiceModel(shape).Cost(2), 0.05);
  // M/M/1 at half its capacity takes twice the time.
  shape = ServiceShape();
  shape.open = true;
  shape.service = 0;
  shape.serial = 0.001;
  shape.rate = 1000;
  EXPECT_DOUBLE_EQ(ServiceModel(shape).Cost(2), 0.002);
}

}  // namespace
}  // namespace predial
