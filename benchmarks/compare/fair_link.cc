#include "benchmarks/compare/fair_link.h"

#include <algorithm>
#include <cmath>

#include "absl/time/time.h"

namespace predial {
namespace {

Duration TransmissionTime(int64_t bytes, int64_t rate) {
  constexpr int64_t kNanosPerSecond = 1'000'000'000;
  return Duration((bytes * 8 * kNanosPerSecond + rate - 1) / rate);
}

}  // namespace

FairLink::FairLink(const LinkOptions& options, uint64_t seed)
    : delay_(absl::ToChronoNanoseconds(options.delay)),
      rate_(options.rate),
      stall_every_(options.stall_every),
      stall_length_(absl::ToChronoNanoseconds(options.stall_length)),
      random_(seed),
      until_stall_(NextInterval()) {}

void FairLink::Enqueue(Flow& flow, int64_t bytes, Time now) {
  if (bytes == 0) return;
  Advance(now);
  if (busy_.empty()) free_at_ = std::max(free_at_, now);
  if (flow.waiting == 0) busy_.push_back(&flow);
  flow.waiting += bytes;
  Advance(now);
}

void FairLink::Remove(Flow& flow) {
  busy_.erase(std::remove(busy_.begin(), busy_.end(), &flow), busy_.end());
  flow.waiting = 0;
}

void FairLink::Advance(Time now) {
  while (!busy_.empty() && free_at_ <= now) {
    Flow& flow = *busy_.front();
    busy_.pop_front();
    PassChunk(flow);
    if (flow.waiting > 0) busy_.push_back(&flow);
  }
}

void FairLink::PassChunk(Flow& flow) {
  const int64_t bytes = rate_ == 0 ? flow.waiting : std::min(flow.waiting, kChunkBytes);
  const Time taken = free_at_;
  if (rate_ != 0) free_at_ += TransmissionTime(bytes, rate_);
  Time due = free_at_ + delay_;
  if (Loses(taken, flow)) {
    ++stalls_;
    until_stall_ = NextInterval();
    flow.stalled_until = free_at_ + stall_length_;
    due += stall_length_;
  }
  flow.last_due = std::max(flow.last_due, due);
  flow.waiting -= bytes;
  passed_.push_back({flow.owner, bytes, flow.last_due});
}

bool FairLink::Loses(Time now, const Flow& flow) {
  if (stall_every_ == absl::InfiniteDuration()) return false;
  until_stall_ -= std::min<Duration>(now - last_chunk_, kPauseMax);
  last_chunk_ = now;
  return until_stall_ <= Duration::zero() && now >= flow.stalled_until;
}

Duration FairLink::NextInterval() {
  if (stall_every_ == absl::InfiniteDuration()) return Duration::max();
  const double uniform = std::ldexp(static_cast<double>(random_() >> 11), -53);  // in [0, 1)
  const double nanos = -std::log1p(-uniform) * absl::ToDoubleNanoseconds(stall_every_);
  constexpr double kNanosMax = 1e18;  // 31 years; what a Duration holds
  return Duration(static_cast<int64_t>(std::min(nanos, kNanosMax)));
}

std::vector<FairLink::Passed> FairLink::TakePassed() {
  std::vector<Passed> passed;
  passed.swap(passed_);
  return passed;
}

std::optional<Time> FairLink::next() const {
  if (busy_.empty()) return std::nullopt;
  return free_at_;
}

}  // namespace predial
