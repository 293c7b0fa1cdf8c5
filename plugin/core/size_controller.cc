#include "plugin/core/size_controller.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace predial {
namespace {

// Over which the RPCs in flight are averaged.
constexpr Duration kMeanOver = std::chrono::seconds(1);
// Over which RPCs are counted at least, for their rate.
constexpr Duration kRateOver = std::chrono::milliseconds(5);

}  // namespace

SizeController::SizeController(const SizingPolicy& policy, uint64_t seed, Time start)
    : policy_(policy),
      demand_(policy, start),
      counted_from_(start),
      last_load_(start),
      floor_since_(start),
      size_(demand_.wanted()),
      reason_("the minimum, to begin with") {
  if (policy.kind != SizingKind::kAdaptive) return;
  adaptive_.emplace(AdaptivePolicy{policy.min, policy.max, policy.idle_timeout}, seed, start,
                    size_);
}

std::optional<SizeController::Change> SizeController::OnLoad(Time now, const Load& load) {
  const int64_t in_flight = load.in_flight + load.anchor + load.waiting;
  CountCallers(now, load);
  demand_.OnLoad(now, in_flight, load.stream_limit, load.endpoints, callers_);
  if (adaptive_) {
    AdaptiveSizing::Sample sample;
    sample.in_flight = in_flight;
    sample.rpcs = load.rpcs;
    sample.answered = load.answered;
    sample.latency = load.latency;
    sample.ready = load.ready;
    sample.wanted = demand_.wanted();
    sample.kept = demand_.Kept(now);
    sample.floor = Floor(now, in_flight, load.stream_limit);
    adaptive_->OnSample(now, sample);
  }
  const int size = Kept(now);
  if (size == size_) return std::nullopt;
  const Change change{size_, size, Reason(load, size_)};
  size_ = size;
  reason_ = change.reason;
  return change;
}

void SizeController::CountCallers(Time now, const Load& load) {
  rpcs_ += load.rpcs;
  if (now - counted_from_ < kRateOver) return;
  const double passed = std::chrono::duration<double>(now - counted_from_).count();
  const double worth = std::ceil(static_cast<double>(rpcs_) / passed / kRpcsPerCaller);
  const double blocking = std::min<double>(load.blocking, policy_.callers_max);
  callers_ = load.resolved <= 1 ? static_cast<int>(std::min(blocking, worth)) : 0;
  rpcs_ = 0;
  counted_from_ = now;
}

int SizeController::Floor(Time now, int64_t in_flight, uint32_t stream_limit) {
  const double passed = std::chrono::duration<double>(now - std::exchange(last_load_, now)) /
                        std::chrono::duration<double>(kMeanOver);
  const auto present = static_cast<double>(in_flight);
  usual_in_flight_ += (present - usual_in_flight_) * (1 - std::exp(-passed));
  double limit = policy_.streams_max > 0 ? policy_.streams_max : 0;
  if (stream_limit > 0 && (limit == 0 || stream_limit < limit)) limit = stream_limit;
  double needed = 0;
  if (limit > 0) {
    needed = std::max(std::ceil(present / limit),
                      std::ceil(usual_in_flight_ / std::max(1.0, std::floor(0.8 * limit))));
  }
  if (now - floor_since_ >= kFloorSpan) {
    old_floor_ = now - floor_since_ < 2 * kFloorSpan ? floor_ : 0;
    floor_ = 0;
    floor_since_ = now;
  }
  const double most = policy_.max;
  floor_ = std::max(floor_, static_cast<int>(std::min(needed + policy_.idle_min, most)));
  return std::clamp(std::max(floor_, old_floor_), policy_.min, policy_.max);
}

int SizeController::wanted() const { return IsMeasured() ? adaptive_->size() : demand_.wanted(); }

int SizeController::Kept(Time now) const {
  return IsMeasured() ? adaptive_->size() : demand_.Kept(now);
}

Time SizeController::NextShrink(Time now) const {
  return IsMeasured() ? adaptive_->NextChange() : demand_.NextShrink(now);
}

std::string SizeController::Reason(const Load& load, int from) const {
  if (IsMeasured()) return adaptive_->reason();
  std::string text = absl::StrCat(load.in_flight, " RPCs in flight");
  if (load.waiting > 0) absl::StrAppend(&text, ", ", load.waiting, " that wait for a place");
  if (load.anchor > 0) absl::StrAppend(&text, ", ", load.anchor, " that found no connection");
  // What made them so many.
  const int each = StreamsPerMember(load.stream_limit, demand_.wanted() - 1, load.endpoints);
  if (each < std::numeric_limits<int>::max()) {
    absl::StrAppend(&text, "; ", each, " to a connection");
  }
  if (callers_ > 1) {
    absl::StrAppend(&text, ", or one for each of ", callers_, " threads that wait");
  }
  if (policy_.idle_min > 0) absl::StrAppend(&text, ", and ", policy_.idle_min, " idle ones");
  const int needed = demand_.wanted();
  if (needed > from) return text;
  return absl::StrCat(text, ": for the idle timeout no more were needed");
}

}  // namespace predial
