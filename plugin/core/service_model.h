// ServiceModel: a simulated service whose time per RPC over the number of connections is known, for
// tests of sizing. No clock; noise comes from the caller's generator.
//
// An RPC takes service time s * (1 + a * n) with n connections (a server that gets slower with each
// of them), and a turn of k on its connection (its lock, its serialized writes), for which it
// queues behind the others there:
//   closed load, u callers to a connection: R = k * (1 + (u - 1) * R / (s' + R)), the arrival
//     theorem in Schweitzer's approximation (Bard 1979, Schweitzer 1979); W = s' + R
//   open load, rate x to a connection: R = k / (1 - x * k), as M/M/1; a line from 95 % of it on
//     stands for a backlog
// With a stream limit m only m RPCs run on a connection, and the others wait: W = u / X(m); under
// an open load their backlog has no end, for which a line stands, too.
//
// Threads: thread-compatible.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <random>

#include "plugin/core/size_controller.h"
#include "plugin/core/types.h"

namespace predial {

struct ServiceShape {
  bool open = false;   // whether RPCs come at `rate`, or `callers` wait for each other's answers
  double callers = 0;  // RPCs in flight
  double rate = 0;     // per second
  double service = 0.005;  // s, in seconds
  double serial = 0;       // k, in seconds
  double slowdown = 0;     // a
  double limit = 0;        // m; 0: none
};

class ServiceModel {
 public:
  explicit ServiceModel(const ServiceShape& shape) : shape_(shape) {}

  // Mean time of an RPC with so many connections, in seconds; `crowd` scales the load.
  double Cost(int connections, double crowd = 1) const {
    const double service = shape_.service * (1 + shape_.slowdown * connections);
    const double load = crowd * (shape_.open ? shape_.rate : shape_.callers) / connections;
    if (!shape_.open) return Closed(service, load);
    const double busy = load * shape_.serial;
    const double turn =
        busy < kFull ? shape_.serial / (1 - busy) : shape_.serial / (1 - kFull) + (busy - kFull);
    const double cost = service + turn;
    // RPCs that run at a time, of those that may.
    const double full = shape_.limit > 0 ? load * cost / shape_.limit : 0;
    return full > 1 ? cost + kBacklog * (full - 1) : cost;
  }

  // The mean of Cost() over the load's swings.
  double MeanCost(int connections) const {
    double sum = 0;
    for (const double swing : kSwings) sum += Cost(connections, 1 + kSwing * swing);
    return sum / std::size(kSwings);
  }

  // What a look after `tick` shows of it.
  SizeController::Load Look(int connections, Duration tick, double noise,
                            std::mt19937_64& random) const {
    const auto normal = [&random] { return std::normal_distribution<double>()(random); };
    const double crowd = std::max(0.5, 1 + kSwing * normal());
    const double cost = Cost(connections, crowd);
    const double rate = shape_.open ? shape_.rate * crowd : shape_.callers * crowd / cost;
    const double in_flight = rate * cost;
    const double expected = rate * std::chrono::duration<double>(tick).count();
    const double answered = std::max(0.0, expected + std::sqrt(expected) * normal());
    SizeController::Load load;
    // An open load's RPCs in flight are as Poisson's.
    const double chance = shape_.open ? std::sqrt(in_flight) * normal() : 0;
    load.in_flight = std::llround(std::max(0.0, in_flight + chance));
    load.rpcs = load.answered = static_cast<uint64_t>(std::llround(answered));
    // Each RPC's time is as exponential; besides, the whole service has better and worse moments.
    const double own = normal() / std::sqrt(std::max(1.0, answered));
    const double seconds =
        static_cast<double>(load.answered) * cost * std::max(0.1, 1 + own + noise * normal());
    load.latency = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    load.ready = connections;
    load.stream_limit = static_cast<uint32_t>(shape_.limit);
    return load;
  }

 private:
  // From look to look the load is another one by so much, one standard deviation; ten equally
  // likely values of it.
  static constexpr double kSwing = 0.05;
  static constexpr double kSwings[] = {-1.645, -1.036, -0.674, -0.385, -0.126,
                                       0.126,  0.385,  0.674,  1.036,  1.645};
  static constexpr double kFull = 0.95;
  static constexpr double kBacklog = 1;  // seconds

  double Closed(double service, double callers) const {
    const double running = shape_.limit > 0 ? std::min(callers, shape_.limit) : callers;
    double turn = shape_.serial;
    for (int i = 0; i < 200; ++i) {
      turn = shape_.serial * (1 + std::max(0.0, running - 1) * turn / (service + turn));
    }
    return (service + turn) * std::max(1.0, callers / running);
  }

  const ServiceShape shape_;
};

}  // namespace predial
