#include "plugin/core/adaptive_sizing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace predial {
namespace {

// Up and down. Too few members may be far worse, and too many hardly are.
constexpr double kFactors[] = {2, 1.5, 1.25};
constexpr double kDownFactors[] = {2, 1.5, 1.25};
constexpr int kSteps = 3;
constexpr double kFactorMax = 2;
// Samples further apart than this belong to no window.
constexpr Duration kGapMax = std::chrono::seconds(1);
constexpr Duration kSettleMax = std::chrono::seconds(5);
// Windows before a probe is judged, and before one that is far worse is given up.
constexpr int kJudgeWindows = 3;
constexpr int kAbortWindows = 2;
constexpr double kAbortLoss = 0.5;

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

int Percent(double share) { return static_cast<int>(std::lround(100 * share)); }

}  // namespace

AdaptiveSizing::AdaptiveSizing(const AdaptivePolicy& policy, uint64_t seed, Time start, int size)
    : policy_(policy),
      random_(seed),
      size_(size),
      reason_("follows the demand: nothing is measured yet"),
      last_sample_(start),
      last_window_(start),
      changed_at_(start),
      tokens_at_(start) {}

Time AdaptiveSizing::NextChange() const {
  return follows() ? Time::max() : last_window_ + policy_.idle_timeout;
}

void AdaptiveSizing::OnSample(Time now, const Sample& sample) {
  if (!follows() && now - last_window_ >= policy_.idle_timeout) {
    phase_ = Phase::kFollow;
    reason_ = "follows the demand: too few RPCs to measure by";
  }
  if (follows()) size_ = sample.kept;
  if (!follows() && Guard(now, sample)) {
    last_sample_ = now;
    return;
  }
  if (phase_ == Phase::kBase && !chosen_ && base_ != sample.kept) {
    Begin(now, sample.kept, "the demand's size");
    chosen_ = false;
  }
  const std::optional<Measured> measured = Measure(now, sample);
  if (!measured) {
    if (phase_ == Phase::kProbe && now - changed_at_ >= kPatience + kSettleMax &&
        probe_record_.count() == 0) {
      Reject(now, "it could not be reached");
    }
    return;
  }
  switch (phase_) {
    case Phase::kFollow:
      BeginLoad(now, sample, "the demand's size, to begin with");
      return;
    case Phase::kBase:
      OnBaseWindow(now, sample, *measured);
      return;
    case Phase::kProbe:
      OnProbeWindow(now, sample, *measured);
      return;
  }
}

bool AdaptiveSizing::Guard(Time now, const Sample& sample) {
  if (sample.floor > size_) {
    if (phase_ == Phase::kProbe && sample.floor <= base_) {
      Reject(now, "the stream limits need more");
    } else {
      Begin(now, sample.floor, "what the stream limits need");
    }
    return true;
  }
  if (sample.wanted <= size_) return false;
  // That the size is below the demand's is no news, at the load that it was measured at.
  if (static_cast<double>(sample.in_flight) <= 2 * base_load_.in_flight) return false;
  // If they come no faster than before, it is the size that makes them pile up.
  const double passed = std::max(1e-3, Seconds(now - last_sample_));
  if (static_cast<double>(sample.rpcs) / passed > (1 + kShift) * base_load_.rate) {
    BeginLoad(now, sample, "the demand's size: the load has grown");
    return true;
  }
  const int size = size_;
  if (phase_ == Phase::kBase) {
    FallBack(now, sample, "RPCs have piled up");
    if (falls_ < 2) return true;  // once may be chance
  } else {
    if (size == sample.kept) {
      default_size_ = size;
      default_cost_ = std::numeric_limits<double>::infinity();
      default_error_ = 0;
    }
    Reject(now, "RPCs pile up");
  }
  piled_up_ = std::max(piled_up_, size);
  piled_until_ = now + Backoff(kRest, pile_ups_++);
  return true;
}

std::optional<AdaptiveSizing::Measured> AdaptiveSizing::Measure(Time now, const Sample& sample) {
  const Duration gap = now - std::exchange(last_sample_, now);
  const bool steady = follows() ? sample.ready >= sample.wanted && sample.ready <= sample.kept
                                : sample.ready == size_;
  if (!steady) {
    settled_ = false;
    return std::nullopt;
  }
  if (!settled_) {
    settled_ = true;
    const auto answers = std::chrono::duration<double>(2 * base_record_.Mean());
    settled_at_ =
        now + std::clamp(std::chrono::duration_cast<Duration>(answers), kWindow, kSettleMax);
  }
  if (now <= settled_at_ || gap > kGapMax) {
    window_ = Window{now};
    return std::nullopt;
  }
  ++window_.looks;
  window_.in_flight += sample.in_flight;
  window_.rpcs += sample.rpcs;
  window_.answered += sample.answered;
  window_.latency += sample.latency;
  const Duration took = now - window_.since;
  if (took < kWindow || (window_.answered < kSamplesMin && took < kWindowMax)) return std::nullopt;
  const Window window = std::exchange(window_, Window{now});
  if (window.answered < kSamplesMin) return std::nullopt;
  last_window_ = now;
  WindowLoad load;
  load.in_flight = static_cast<double>(window.in_flight) / static_cast<double>(window.looks);
  load.rate = static_cast<double>(window.rpcs) / Seconds(took);
  load.begun = static_cast<double>(window.rpcs);
  return Measured{Seconds(window.latency) / static_cast<double>(window.answered), load};
}

void AdaptiveSizing::OnBaseWindow(Time now, const Sample& sample, const Measured& measured) {
  if (!IsBaseValid(now, sample, measured)) return;
  // One that looks odd counts only if those that follow do not.
  if (odd_loads_ > 0 || odd_costs_ > 0) return;
  base_record_.Add(measured.cost, measured.load);
  ++fresh_;
  if (base_record_.count() < kBaseWindows) return;
  if (fresh_ <= kProbeWindows) {
    base_load_ = base_record_.MeanLoad();
    base_cost_ = base_record_.Mean();
  }
  if (base_ == sample.kept) NoteDefault(base_, base_record_);
  if (fresh_ >= kJudgeWindows && now >= rest_until_ && now >= retry_at_) StartProbe(now, sample);
}

bool AdaptiveSizing::IsBaseValid(Time now, const Sample& sample, const Measured& measured) {
  if (base_record_.count() < kBaseWindows) return true;
  odd_loads_ = IsUnlike(base_load_, measured.load, kUnlike) ? odd_loads_ + 1 : 0;
  // What one window cannot show, many can: they are none of those that it is held against.
  const bool later = fresh_ >= 2 * kProbeWindows;
  if (odd_loads_ >= kOdd || (later && IsUnlike(base_load_, base_record_.MeanLoad(), kUnlike))) {
    BeginLoad(now, sample, "the demand's size: the load has changed");
    return false;
  }
  const double shift = measured.cost / base_cost_ - 1;
  const double much = std::max(kShift, 4 * base_record_.Scatter());
  odd_costs_ = odd_loads_ == 0 && std::abs(shift) > much ? odd_costs_ + 1 : 0;
  const bool drifted = later && std::abs(base_record_.Mean() / base_cost_ - 1) > kShift / 2;
  if (odd_costs_ >= kOdd || drifted) {
    if (shift > 0 && base_ != sample.kept) {
      FallBack(now, sample, "RPCs take longer than with that");
    } else {
      Begin(now, base_, "RPCs take another time than before at the same load");
    }
    return false;
  }
  if (base_ == sample.kept || default_size_ != sample.kept || default_cost_ == 0) return true;
  const double mean = base_record_.Mean();
  const double error = mean * base_record_.Scatter() / std::sqrt(base_record_.count());
  if (mean <= default_cost_ * (1 + kGainMin) + kSigmas * (error + default_error_)) return true;
  FallBack(now, sample, "RPCs take longer than with that");
  return false;
}

void AdaptiveSizing::OnProbeWindow(Time now, const Sample& sample, const Measured& measured) {
  odd_loads_ = IsUnlike(base_load_, measured.load, kUnlike) ? odd_loads_ + 1 : 0;
  if (odd_loads_ >= kOdd) {
    BeginLoad(now, sample, "the demand's size: the load has changed");
    return;
  }
  if (odd_loads_ > 0) return;
  probe_record_.Add(measured.cost, measured.load);
  const int count = probe_record_.count();
  const double base = base_record_.Mean();
  const double gain = 1 - probe_record_.Mean() / base;
  const bool far_worse = count >= kAbortWindows && gain < -kAbortLoss;
  if (count < kJudgeWindows && !far_worse) return;
  const double scatter = std::max(base_record_.Scatter(), probe_record_.Scatter());
  const double error = scatter * std::sqrt(1.0 / count + 1.0 / base_record_.count());
  const bool significant = gain > kGainMin && gain > kSigmas * error;
  const bool hopeless = far_worse || gain + kSigmas * error < kGainMin || count >= kProbeWindows;
  if (!significant && !hopeless) return;
  if (size_ == sample.kept) NoteDefault(size_, probe_record_);
  if (significant && !IsUnlike(base_record_.MeanLoad(), probe_record_.MeanLoad(), kUnlike)) {
    Accept(gain);
  } else {
    Reject(now, far_worse ? "it is far worse" : "it is not better");
  }
}

void AdaptiveSizing::NoteDefault(int size, const CostRecord& record) {
  default_size_ = size;
  default_cost_ = record.Mean();
  default_error_ = default_cost_ * record.Scatter() / std::sqrt(record.count());
}

void AdaptiveSizing::Begin(Time now, int size, std::string reason) {
  phase_ = Phase::kBase;
  base_ = size;
  chosen_ = true;
  piled_up_ = 0;
  base_record_.Clear();
  fresh_ = odd_loads_ = odd_costs_ = 0;
  default_size_ = 0;
  default_cost_ = 0;
  default_tried_ = false;
  hint_ = last_best_;
  step_ = turns_ = 0;
  up_ = true;
  rejected_.clear();
  rests_ = 0;
  rest_until_ = now;
  last_window_ = now;
  SetSize(now, size, std::move(reason));
}

void AdaptiveSizing::BeginLoad(Time now, const Sample& sample, std::string reason) {
  base_load_ = WindowLoad();
  pile_ups_ = 0;
  Begin(now, sample.kept, std::move(reason));
  chosen_ = false;
}

void AdaptiveSizing::FallBack(Time now, const Sample& sample, const char* why) {
  if (now - fell_at_ > kCalm) falls_ = 0;
  retry_at_ = now + Backoff(kRetry, falls_++);
  fell_at_ = now;
  const int pile_ups = pile_ups_;
  const int piled_up = piled_up_;
  BeginLoad(now, sample, absl::StrCat("back from ", base_, " to the demand's size: ", why));
  pile_ups_ = pile_ups;
  piled_up_ = piled_up;
}

void AdaptiveSizing::StartProbe(Time now, const Sample& sample) {
  if (now >= piled_until_) piled_up_ = 0;
  if (!MayProbe(now)) return;
  const int size = Candidate(sample);
  if (size == 0) {
    Rest(now, sample);
    return;
  }
  tokens_ -= 1;
  phase_ = Phase::kProbe;
  probe_record_.Clear();
  SetSize(now, size, absl::StrCat("a probe: is it better than ", base_, "?"));
}

int AdaptiveSizing::Candidate(const Sample& sample) {
  const int least = std::max({policy_.min, sample.floor, piled_up_ + 1});
  const auto untried = [&](int size) {
    return size >= least && size <= policy_.max && size != base_ && rejected_.count(size) == 0;
  };
  const auto higher = [&](double factor) {
    return std::max(base_ + 1, static_cast<int>(std::lround(base_ * factor)));
  };
  const auto lower = [&](double factor) {
    return std::min(base_ - 1, static_cast<int>(std::lround(base_ / factor)));
  };
  if (const int hint = std::exchange(hint_, 0); hint > 0) {
    const int near = std::clamp(hint, lower(kFactorMax), higher(kFactorMax));
    if (untried(near)) return near;
  }
  if (const int kept = sample.kept; !default_tried_ && default_size_ != kept) {
    default_tried_ = true;
    if (untried(kept)) return kept;
  }
  while (step_ < kSteps) {
    const int size = up_ ? std::min(higher(kFactors[step_]), policy_.max)
                         : std::max(lower(kDownFactors[step_]), least);
    if (untried(size)) return size;
    Turn();
  }
  return 0;
}

void AdaptiveSizing::Turn() {
  up_ = !up_;
  if (++turns_ < 2) return;
  turns_ = 0;
  ++step_;
}

void AdaptiveSizing::Accept(double gain) {
  chosen_ = true;
  const int from = std::exchange(base_, size_);
  base_record_ = std::exchange(probe_record_, CostRecord(kProbeWindows));
  base_load_ = base_record_.MeanLoad();
  base_cost_ = base_record_.Mean();
  fresh_ = 0;
  odd_costs_ = 0;
  turns_ = 0;
  step_ = std::max(0, step_ - 1);
  rejected_ = {from};
  rests_ = 0;
  last_best_ = base_;
  phase_ = Phase::kBase;
  reason_ = absl::StrCat("RPCs take ", Percent(gain), " % less time than with ", from);
}

void AdaptiveSizing::Reject(Time now, const char* why) {
  const int probed = size_;
  rejected_.insert(probed);
  phase_ = Phase::kBase;
  fresh_ = odd_loads_ = odd_costs_ = 0;
  probe_record_.Clear();
  SetSize(now, base_, absl::StrCat("back from the probe of ", probed, ": ", why));
}

void AdaptiveSizing::Rest(Time now, const Sample& sample) {
  const int rests = rests_ + 1;
  const Duration rest = Backoff(kRest, rests_);
  const bool better = default_size_ != sample.kept || base_ == sample.kept ||
                      base_record_.Mean() < default_cost_ * (1 - kGainMin);
  if (better) {
    last_best_ = base_;
    reason_ = absl::StrCat("RPCs take the least time with ", base_, ", as far as was tried");
  } else {
    Begin(now, sample.kept, absl::StrCat("the demand's size: ", base_, " is hardly better"));
    chosen_ = false;
  }
  rests_ = rests;
  rest_until_ = now + rest;
  hint_ = 0;
  default_tried_ = false;
  step_ = 1;
  turns_ = 0;
  up_ = Random() < 0.5;
  rejected_.clear();
}

void AdaptiveSizing::SetSize(Time now, int size, std::string reason) {
  reason_ = std::move(reason);
  if (size == size_) return;
  size_ = size;
  changed_at_ = now;
  settled_ = false;
}

bool AdaptiveSizing::MayProbe(Time now) {
  const double more = Seconds(now - std::exchange(tokens_at_, now)) / Seconds(kProbeSpacing);
  tokens_ = std::min<double>(kProbesMax, tokens_ + more);
  return tokens_ >= 1;
}

Duration AdaptiveSizing::Backoff(Duration unit, int times) {
  const double length = Seconds(unit) * std::exp2(std::min(times, 20));
  const double jittered = std::min(length, Seconds(kRestMax)) * (0.75 + 0.5 * Random());
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(jittered));
}

double AdaptiveSizing::Random() {
  // 53 bits, the precision of a double: uniform in [0, 1) on every standard library.
  return static_cast<double>(random_() >> 11) * 0x1p-53;
}

}  // namespace predial
