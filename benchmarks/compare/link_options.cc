#include "benchmarks/compare/link_options.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace predial {
namespace {

constexpr int64_t kRateMin = 10'000;
constexpr int64_t kRateMax = 100'000'000'000;

absl::Status CheckRange(absl::string_view name, absl::Duration value, absl::Duration min,
                        absl::Duration max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name, " is ", absl::FormatDuration(value),
                                                 "; it must be within [", absl::FormatDuration(min),
                                                 ", ", absl::FormatDuration(max), "]"));
}

}  // namespace

absl::Status LinkOptions::Validate() const {
  if (rate != 0 && (rate < kRateMin || rate > kRateMax)) {
    return absl::InvalidArgumentError(absl::StrCat("rate is ", rate, "; it must be 0 or within [",
                                                   kRateMin, ", ", kRateMax, "] bits per second"));
  }
  absl::Status status = CheckRange("delay", delay, absl::ZeroDuration(), absl::Seconds(10));
  status.Update(
      CheckRange("stall_every", stall_every, absl::Milliseconds(1), absl::InfiniteDuration()));
  status.Update(CheckRange("stall_length", stall_length, absl::Milliseconds(1), absl::Seconds(60)));
  return status;
}

absl::StatusOr<int64_t> ParseRate(absl::string_view text) {
  double unit = 1;
  absl::string_view number = text;
  if (!text.empty()) {
    switch (text.back()) {
      case 'k':
        unit = 1e3;
        break;
      case 'M':
        unit = 1e6;
        break;
      case 'G':
        unit = 1e9;
        break;
    }
    if (unit != 1) number.remove_suffix(1);
  }
  double value = 0;
  // False for NaN, too.
  if (!absl::SimpleAtod(number, &value) || !(std::abs(value * unit) <= 1e18)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is no rate; give bits per second as 200M, 1.5G or 1000000"));
  }
  return static_cast<int64_t>(value * unit);
}

}  // namespace predial
