#include "plugin/advise_size.h"

#include <algorithm>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace predial {
namespace {

constexpr int kConnectionsLimit = 1024;  // PoolOptions' range
constexpr double kStreamShare = 0.8;     // of the limit, at most

struct Known {
  double load;         // L
  double each;         // RPCs per connection; 0: unknown
  double latency_sec;  // 0: unknown
};

absl::Status Check(const std::vector<LoadPoint>& trace) {
  if (trace.empty()) return absl::InvalidArgumentError("the trace is empty");
  for (size_t i = 0; i < trace.size(); ++i) {
    const LoadPoint& point = trace[i];
    const auto fail = [i](const char* what) {
      return absl::InvalidArgumentError(absl::StrCat("sample ", i, " of the trace: ", what));
    };
    if (i > 0 && point.time <= trace[i - 1].time) {
      return fail("its time is not after that of the one before");
    }
    for (const double number : {point.in_flight, point.waiting, point.rpcs_per_second}) {
      if (!(number >= 0) || std::isinf(number)) return fail("a number is negative, or not one");
    }
    if (point.latency < absl::ZeroDuration() || point.latency == absl::InfiniteDuration()) {
      return fail("its latency is negative, or infinite");
    }
    if (point.connections < 0) return fail("its connections are negative");
  }
  return absl::OkStatus();
}

// Samples without a load are left out: the pool was at rest.
std::vector<Known> Read(const std::vector<LoadPoint>& trace, int* by_law) {
  std::vector<Known> known;
  for (const LoadPoint& point : trace) {
    const double latency = absl::ToDoubleSeconds(point.latency);
    double load = point.in_flight + point.waiting;
    if (load == 0 && point.rpcs_per_second > 0 && latency > 0) {
      load = point.rpcs_per_second * latency;
      ++*by_law;
    }
    if (load == 0) continue;
    known.push_back({load, point.connections > 0 ? load / point.connections : 0, latency});
  }
  return known;
}

double Quantile(std::vector<double> values, double share) {
  const auto at = static_cast<size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

int Needed(double load, int target) {
  const double needed = std::ceil(load / target - 1e-9);
  return static_cast<int>(std::clamp(needed, 1.0, 1e9));
}

// The most RPCs per connection up to which latency is kept; 0 if the trace does not tell. `lost` is
// whether it is lost beyond.
double KeepsLatencyUpTo(std::vector<Known> known, bool* lost) {
  known.erase(std::remove_if(known.begin(), known.end(),
                             [](const Known& k) { return k.each == 0 || k.latency_sec == 0; }),
              known.end());
  constexpr size_t kSamplesMin = 8;
  if (known.size() < kSamplesMin) return 0;
  std::sort(known.begin(), known.end(),
            [](const Known& one, const Known& other) { return one.each < other.each; });
  // In four groups, so that no single sample decides.
  constexpr size_t kGroups = 4;
  double base = 0;
  double kept = 0;
  *lost = false;
  for (size_t group = 0; group < kGroups; ++group) {
    std::vector<double> latencies;
    std::vector<double> each;
    for (size_t i = group * known.size() / kGroups; i < (group + 1) * known.size() / kGroups; ++i) {
      latencies.push_back(known[i].latency_sec);
      each.push_back(known[i].each);
    }
    const double latency = Quantile(latencies, 0.5);
    if (group == 0) base = latency;
    if (latency > SizeAdvice::kSlower * base) {
      *lost = true;
      return kept;
    }
    kept = Quantile(each, 0.5);
  }
  return kept;
}

int AdviseTarget(const std::vector<Known>& known, uint32_t limit,
                 std::vector<std::string>& reasons) {
  bool lost = false;
  const double kept = KeepsLatencyUpTo(known, &lost);
  double target = SizeAdvice::kDefaultTarget;
  std::string reason = "nothing in the trace speaks against the default";
  if (kept > 0 && lost && kept < target) {
    target = std::max(1.0, std::floor(kept));
    reason =
        absl::StrFormat("with more than %.0f RPCs on a connection they take over %.0f %% longer",
                        target, 100 * (SizeAdvice::kSlower - 1));
  } else if (kept > target) {
    target = std::floor(kept);
    reason = absl::StrFormat("up to %.0f RPCs on a connection they take no longer than with fewer",
                             target);
  }
  const double room = std::max(1.0, std::floor(kStreamShare * limit));
  if (limit > 0 && target > room) {
    target = room;
    absl::StrAppend(&reason, "; but the peer allows ", limit,
                    " streams, of which a fifth is left for what arrives while a connection is "
                    "dialed");
  }
  target = std::min(target, 1e6);
  reasons.push_back(absl::StrFormat("streams_per_connection_target = %.0f: %s", target, reason));
  return static_cast<int>(target);
}

}  // namespace

absl::StatusOr<SizeAdvice> AdviseSize(const std::vector<LoadPoint>& trace) {
  if (absl::Status status = Check(trace); !status.ok()) return status;
  int by_law = 0;
  const std::vector<Known> known = Read(trace, &by_law);
  if (known.empty()) {
    return absl::InvalidArgumentError(
        "no sample of the trace has a load: RPCs in flight, or a rate and a latency");
  }
  uint32_t limit = 0;
  bool waited = false;
  for (const LoadPoint& point : trace) {
    if (point.stream_limit > 0)
      limit = limit == 0 ? point.stream_limit : std::min(limit, point.stream_limit);
    waited = waited || point.waiting > 0;
  }
  std::vector<double> loads;
  for (const Known& k : known) loads.push_back(k.load);
  const double usual = Quantile(loads, 0.5);
  const double peak = *std::max_element(loads.begin(), loads.end());

  SizeAdvice advice;
  const int target = AdviseTarget(known, limit, advice.reasons);
  advice.streams_per_connection_target = target;
  const int needed = Needed(usual, target);
  advice.connections_min = std::clamp(needed, SizeAdvice::kRedundant, kConnectionsLimit);
  advice.reasons.push_back(absl::StrFormat(
      "connections_min = %d: half of the time %.0f RPCs or more are in flight, which need %d%s",
      advice.connections_min, usual, needed,
      needed < SizeAdvice::kRedundant ? "; two, so that the loss of one stops nothing" : ""));
  const int most = Needed(SizeAdvice::kHeadroom * peak, target);
  advice.connections_max = std::clamp(most, advice.connections_min, kConnectionsLimit);
  advice.reasons.push_back(absl::StrFormat(
      "connections_max = %d: at the most %.0f RPCs were in flight, which need %d, and a quarter "
      "more is left for growth",
      advice.connections_max, peak, Needed(peak, target)));
  if (most > kConnectionsLimit) {
    advice.reasons.push_back(absl::StrCat("it would have to be ", most, ", and ", kConnectionsLimit,
                                          " is the limit: use several pools, or a server that "
                                          "allows more streams"));
  }
  if (waited) {
    advice.reasons.push_back(
        "RPCs waited for a place, or found no connection: the pool was too small at times");
  }
  if (by_law > 0) {
    advice.reasons.push_back(absl::StrCat("of ", by_law,
                                          " samples the RPCs in flight are by Little's law, their "
                                          "rate times their latency"));
  }
  return advice;
}

void SizeAdvice::ApplyTo(PoolOptions& options) const {
  options.connections_min = connections_min;
  options.connections_max = connections_max;
  options.streams_per_connection_target = streams_per_connection_target;
}

std::string SizeAdvice::ToString() const {
  std::string text =
      absl::StrCat("connections_min ", connections_min, "\nconnections_max ", connections_max,
                   "\nstreams_per_connection_target ", streams_per_connection_target, "\n");
  for (const std::string& reason : reasons) absl::StrAppend(&text, reason, "\n");
  return text;
}

}  // namespace predial
