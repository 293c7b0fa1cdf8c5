#include "plugin/metrics/histogram_bounds.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace predial {
namespace {

// `seconds` is in [0, 1e9], so that the product fits.
int64_t ToNanoseconds(double seconds) { return std::llround(seconds * 1e9); }

std::vector<int64_t> ToNanoseconds(const std::vector<double>& seconds) {
  const absl::Status status = HistogramBounds::Validate("HistogramBounds", seconds);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    std::abort();
  }
  std::vector<int64_t> nanoseconds;
  for (double bound : seconds) nanoseconds.push_back(ToNanoseconds(bound));
  nanoseconds.push_back(std::numeric_limits<int64_t>::max());
  return nanoseconds;
}

}  // namespace

absl::Status HistogramBounds::Validate(absl::string_view field,
                                       const std::vector<double>& seconds) {
  if (seconds.empty() || seconds.size() > kMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " has ", seconds.size(), " bounds: give 1 to ", kMax));
  }
  int64_t before = 0;
  for (size_t i = 0; i < seconds.size(); ++i) {
    // Written so that NaN fails it.
    if (!(seconds[i] >= 1e-9 && seconds[i] <= 1e9)) {
      return absl::InvalidArgumentError(absl::StrCat(
          field, "[", i, "] = ", seconds[i], ": must be in [1e-9, 1e9] seconds; leave +Inf out"));
    }
    const int64_t bound = ToNanoseconds(seconds[i]);
    if (bound <= before) {
      return absl::InvalidArgumentError(absl::StrCat(field, "[", i, "] = ", seconds[i],
                                                     ": must exceed the bound before it, ",
                                                     seconds[i - 1], ", by at least a nanosecond"));
    }
    before = bound;
  }
  return absl::OkStatus();
}

HistogramBounds::HistogramBounds(std::vector<double> seconds)
    : seconds_(std::move(seconds)), nanoseconds_(ToNanoseconds(seconds_)) {
  for (size_t bit = 0; bit < 63; ++bit) {
    const auto found =
        std::lower_bound(nanoseconds_.begin(), nanoseconds_.end(), int64_t{1} << bit);
    first_[bit] = static_cast<uint8_t>(found - nanoseconds_.begin());
  }
  first_[63] = first_[62];  // of negative durations only, which there are not
}

}  // namespace predial
