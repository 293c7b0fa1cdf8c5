#include "plugin/options.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace predial {
namespace {

// Collects the first thing that is wrong.
class Checker {
 public:
  void Range(absl::string_view field, int value, int low, int high) {
    if (value < low || value > high)
      Fail(field, absl::StrCat(value), absl::StrCat(low), absl::StrCat(high));
  }
  void Range(absl::string_view field, absl::Duration value, absl::Duration low,
             absl::Duration high) {
    if (value < low || value > high) {
      Fail(field, absl::FormatDuration(value), absl::FormatDuration(low),
           absl::FormatDuration(high));
    }
  }
  // Written so that NaN fails.
  void Range(absl::string_view field, double value, double low, double high) {
    if (!(value >= low && value <= high)) {
      Fail(field, absl::StrCat(value), absl::StrCat(low), absl::StrCat(high));
    }
  }
  // A metadata key, or "".
  void MetadataKey(absl::string_view field, absl::string_view key) {
    constexpr size_t kMax = 128;
    const bool legal = std::all_of(key.begin(), key.end(), [](char c) {
      return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
    });
    if (legal && key.size() <= kMax && !absl::StartsWith(key, "grpc-")) return;
    Also(absl::InvalidArgumentError(
        absl::StrCat(field, " is \"", absl::CHexEscape(key), "\"; it must be \"\", or 1 to ", kMax,
                     " of a-z, 0-9, '-', '_' and '.', and must not begin with \"grpc-\"")));
  }
  // An enumerator, from the first to `last`.
  void Kind(absl::string_view field, int value, int last, absl::string_view names) {
    if (value >= 0 && value <= last) return;
    Also(absl::InvalidArgumentError(absl::StrCat(field, " is ", value, "; it must be ", names)));
  }
  void Also(const absl::Status& status) { status_.Update(status); }

  const absl::Status& status() const { return status_; }

 private:
  void Fail(absl::string_view field, const std::string& value, const std::string& low,
            const std::string& high) {
    Also(absl::InvalidArgumentError(
        absl::StrCat(field, " is ", value, "; it must be from ", low, " to ", high)));
  }

  absl::Status status_;
};

}  // namespace

PoolOptions PoolOptions::Exclusive() {
  PoolOptions options;
  options.connections_min = 10;
  options.connections_idle_min = 10;
  options.connections_max = 50;
  options.streams_per_connection_max = 1;
  options.overflow = OverflowPolicy::kWait;
  return options;
}

absl::Status PoolOptions::Validate() const {
  constexpr int kConnectionsLimit = 1024;
  const absl::Duration kMillisecond = absl::Milliseconds(1);
  Checker check;
  check.Kind("mode", static_cast<int>(mode), static_cast<int>(Mode::kManaged),
             "Mode::kAuto, kFd or kManaged");
  check.Range("connections_max", connections_max, 1, kConnectionsLimit);
  if (connections_min > connections_max) {
    check.Also(absl::InvalidArgumentError(
        absl::StrCat("connections_min (", connections_min, ") is above connections_max (",
                     connections_max, "): lower the one or raise the other")));
  }
  check.Range("connections_min", connections_min, 1, kConnectionsLimit);
  check.Range("streams_per_connection_target", streams_per_connection_target, 0, 1000000);
  check.Range("connections_idle_min", connections_idle_min, 0, connections_max);
  check.Range("streams_per_connection_max", streams_per_connection_max, 0, 1000000);
  check.Range("waiters_max", waiters_max, 1, 1000000);
  check.Range("checkout_timeout", checkout_timeout, kMillisecond, absl::InfiniteDuration());
  check.Range("idle_timeout", idle_timeout, 10 * kMillisecond, absl::Hours(24));
  check.Kind("sizing", static_cast<int>(sizing), static_cast<int>(SizingKind::kAdaptive),
             "SizingKind::kDemand or kAdaptive");
  check.Range("connection_age_max", connection_age_max, 10 * kMillisecond,
              absl::InfiniteDuration());
  check.Range("requests_per_connection_max", requests_per_connection_max, 0, 1000000000);
  check.Range("drain_timeout", drain_timeout, absl::ZeroDuration(), absl::InfiniteDuration());
  check.Range("never_sent_retries_max", never_sent_retries_max, 0, 1000000);
  check.Range("slow_start", slow_start, absl::ZeroDuration(), absl::Hours(1));
  check.Range("spares", spares, 0, 64);
  check.Range("spare_lifetime", spare_lifetime, 100 * kMillisecond, absl::Hours(1));
  check.Range("dials_max", dials_max, 1, kConnectionsLimit);
  check.Range("settings_wait", settings_wait, absl::ZeroDuration(), absl::Seconds(10));
  check.Range("latency_decay", latency_decay, 100 * kMillisecond, absl::Minutes(10));
  if (latency_outlier_factor != 0) {
    check.Range("latency_outlier_factor", latency_outlier_factor, 1.5, 100.0);
  }
  check.MetadataKey("affinity_metadata", affinity_metadata);
  check.MetadataKey("backend_metadata", backend_metadata);
  check.Range("resolve_interval", resolve_interval, absl::Seconds(1), absl::Hours(24));

  check.Range("backoff.max", backoff.max, kMillisecond, absl::Hours(1));
  check.Range("backoff.initial", backoff.initial, kMillisecond, backoff.max);
  check.Range("backoff.multiplier", backoff.multiplier, 1.0, 10.0);
  check.Range("backoff.jitter", backoff.jitter, 0.0, 0.999);
  check.Range("backoff.under_demand", backoff.under_demand, 10 * kMillisecond, absl::Hours(1));

  check.Range("health.interval", health.interval, 100 * kMillisecond, absl::Hours(1));
  check.Range("health.timeout", health.timeout, kMillisecond, health.interval);
  check.Range("health.failures_max", health.failures_max, 1, 100);
  check.Range("health.panic_threshold", health.panic_threshold, 0.0, 1.0);
  check.Range("health.rpc_failures_max", health.rpc_failures_max, 1, 10000);
  check.Range("health.rpc_errors_max", health.rpc_errors_max, 1, 10000);

  SocketOptions only_timeout;
  only_timeout.connect_timeout = socket.connect_timeout;
  check.Also(dialer == nullptr ? socket.Validate() : only_timeout.Validate());
  return check.status();
}

}  // namespace predial
