#include "plugin/core/peak_ewma.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace predial {
namespace {

constexpr int kTickShift = 16;

uint32_t TickOf(Time now) {
  const int64_t nanos = std::chrono::duration_cast<Duration>(now.time_since_epoch()).count();
  return static_cast<uint32_t>(static_cast<uint64_t>(nanos) >> kTickShift);
}

// At least 1 ns, so that no state looks like kNoSample.
double NanosOf(Duration latency) { return std::max(static_cast<double>(latency.count()), 1.0); }

PeakEwma::Word Pack(double nanos, Time now) {
  const float value = static_cast<float>(nanos);
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return uint64_t{bits} << 32 | TickOf(now);
}

// Ticks since the last sample. Threads may come with times in the wrong order: those are 0.
uint32_t TicksSince(PeakEwma::Word state, Time now) {
  const uint32_t ticks = TickOf(now) - static_cast<uint32_t>(state);
  return ticks > UINT32_MAX - (1 << 14) ? 0 : ticks;  // up to 1 s early
}

}  // namespace

double PeakEwma::Nanos(Word state) {
  const uint32_t bits = static_cast<uint32_t>(state >> 32);
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

double PeakEwma::Weight(Word state, Time now) const {
  const double x = static_cast<double>(uint64_t{TicksSince(state, now)} << kTickShift) / decay_;
  // The same to 2^-17, and what busy members need.
  return x < 0x1p-8 ? 1 - x : std::exp(-x);
}

PeakEwma::Word PeakEwma::Observe(Word state, Time now, Duration latency) const {
  const double sample = NanosOf(latency);
  const double value = Nanos(state);
  if (state == kNoSample || sample >= value) return Pack(sample, now);
  if (TicksSince(state, now) == 0) return state;
  const double w = Weight(state, now);
  return Pack(value * w + sample * (1 - w), now);
}

PeakEwma::Word PeakEwma::ObserveAtLeast(Word state, Time now, Duration latency) const {
  const double sample = NanosOf(latency);
  return sample > Nanos(state) ? Pack(sample, now) : state;
}

double PeakEwma::Cost(Word state, Time now, int64_t in_flight) const {
  if (state == kNoSample) return kUnknown * static_cast<double>(in_flight);
  if (in_flight > 0) return Nanos(state) * static_cast<double>(in_flight + 1);
  return Nanos(state) * Weight(state, now);
}

}  // namespace predial
