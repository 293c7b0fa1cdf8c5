// Every field of PoolOptions at the ends of its range and beyond them.
#include "plugin/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace predial {
namespace {

using testing::HasSubstr;

std::string Text(int value) { return absl::StrCat(value); }
std::string Text(double value) { return absl::StrCat(value); }
std::string Text(absl::Duration value) { return absl::FormatDuration(value); }

int Below(int value) { return value - 1; }
int Above(int value) { return value + 1; }
double Below(double value) { return std::nextafter(value, -1e9); }
double Above(double value) { return std::nextafter(value, 1e9); }
absl::Duration Below(absl::Duration value) { return value - absl::Nanoseconds(1); }
absl::Duration Above(absl::Duration value) { return value + absl::Nanoseconds(1); }

// What no field of a type ever takes.
std::vector<int> NeverTaken(int) {
  return {std::numeric_limits<int>::min(), -1000, std::numeric_limits<int>::max()};
}
std::vector<double> NeverTaken(double) {
  const double infinity = std::numeric_limits<double>::infinity();
  return {-infinity, -1, infinity, std::numeric_limits<double>::quiet_NaN()};
}
std::vector<absl::Duration> NeverTaken(absl::Duration) {
  return {-absl::InfiniteDuration(), absl::Seconds(-1), absl::Nanoseconds(-1),
          absl::InfiniteDuration()};
}

// A setting that is valid, or not.
struct Setting {
  std::string field;
  std::string value;
  std::function<void(PoolOptions&)> set;
};

struct Settings {
  std::vector<Setting> valid;
  std::vector<Setting> invalid;

  // `reference` gives the field in some options; `adapt` makes others fit to its extremes.
  template <typename T>
  void Add(
      const std::string& field, T& (*reference)(PoolOptions&), T low, T high,
      void (*adapt)(PoolOptions&) = [](PoolOptions&) {}) {
    const auto setting = [=](T value) {
      return Setting{field, Text(value), [=](PoolOptions& options) {
                       adapt(options);
                       reference(options) = value;
                     }};
    };
    valid.push_back(setting(low));
    valid.push_back(setting(high));
    invalid.push_back(setting(Below(low)));
    invalid.push_back(setting(Above(high)));
    for (T value : NeverTaken(T())) invalid.push_back(setting(value));
  }
};

// The ranges that the headers promise.
Settings AllSettings() {
  const auto ms = [](int count) { return absl::Milliseconds(count); };
  using O = PoolOptions;
  using D = absl::Duration;
  Settings s;
  s.Add<int>(
      "connections_min", [](O& o) -> int& { return o.connections_min; }, 1, 1024,
      [](O& o) { o.connections_max = 1024; });
  s.Add<int>(
      "connections_max", [](O& o) -> int& { return o.connections_max; }, 1, 1024,
      [](O& o) { o.connections_min = 1; });
  s.Add<int>(
      "streams_per_connection_target", [](O& o) -> int& { return o.streams_per_connection_target; },
      0, 1000000);
  s.Add<int>(
      "connections_idle_min", [](O& o) -> int& { return o.connections_idle_min; }, 0, 16);
  s.Add<int>(
      "streams_per_connection_max", [](O& o) -> int& { return o.streams_per_connection_max; }, 0,
      1000000);
  s.Add<int>(
      "waiters_max", [](O& o) -> int& { return o.waiters_max; }, 1, 1000000);
  s.Add<D>(
      "idle_timeout", [](O& o) -> D& { return o.idle_timeout; }, ms(10), absl::Hours(24));
  s.Add<int>(
      "spares", [](O& o) -> int& { return o.spares; }, 0, 64);
  s.Add<D>(
      "spare_lifetime", [](O& o) -> D& { return o.spare_lifetime; }, ms(100), absl::Hours(1));
  s.Add<int>(
      "dials_max", [](O& o) -> int& { return o.dials_max; }, 1, 1024);
  s.Add<D>(
      "settings_wait", [](O& o) -> D& { return o.settings_wait; }, ms(0), absl::Seconds(10));
  s.Add<D>(
      "latency_decay", [](O& o) -> D& { return o.latency_decay; }, ms(100), absl::Minutes(10));
  s.Add<double>(
      "latency_outlier_factor", [](O& o) -> double& { return o.latency_outlier_factor; }, 1.5, 100);
  s.Add<D>(
      "resolve_interval", [](O& o) -> D& { return o.resolve_interval; }, absl::Seconds(1),
      absl::Hours(24));

  s.Add<D>(
      "backoff.initial", [](O& o) -> D& { return o.backoff.initial; }, ms(1), absl::Seconds(120));
  s.Add<double>(
      "backoff.multiplier", [](O& o) -> double& { return o.backoff.multiplier; }, 1, 10);
  s.Add<D>(
      "backoff.max", [](O& o) -> D& { return o.backoff.max; }, ms(1), absl::Hours(1),
      [](O& o) { o.backoff.initial = absl::Milliseconds(1); });
  s.Add<double>(
      "backoff.jitter", [](O& o) -> double& { return o.backoff.jitter; }, 0, 0.999);
  s.Add<D>(
      "backoff.under_demand", [](O& o) -> D& { return o.backoff.under_demand; }, ms(10),
      absl::Hours(1));

  s.Add<D>(
      "health.interval", [](O& o) -> D& { return o.health.interval; }, ms(100), absl::Hours(1),
      [](O& o) { o.health.timeout = absl::Milliseconds(1); });
  s.Add<D>(
      "health.timeout", [](O& o) -> D& { return o.health.timeout; }, ms(1), absl::Seconds(5));
  s.Add<int>(
      "health.failures_max", [](O& o) -> int& { return o.health.failures_max; }, 1, 100);
  s.Add<double>(
      "health.panic_threshold", [](O& o) -> double& { return o.health.panic_threshold; }, 0, 1);

  s.Add<D>(
      "connect_timeout", [](O& o) -> D& { return o.socket.connect_timeout; }, absl::Nanoseconds(1),
      absl::Minutes(10));
  s.Add<D>(
      "attempt_delay", [](O& o) -> D& { return o.socket.attempt_delay; }, ms(10), absl::Seconds(2));
  s.Add<int>(
      "keepalive_probes", [](O& o) -> int& { return o.socket.keepalive_probes; }, 1, 127);
  s.Add<D>(
      "keepalive_idle", [](O& o) -> D& { return o.socket.keepalive_idle; }, absl::Seconds(1),
      absl::Hours(1));
  s.Add<D>(
      "keepalive_interval", [](O& o) -> D& { return o.socket.keepalive_interval; },
      absl::Seconds(1), absl::Hours(1));
  s.Add<int>(
      "dscp", [](O& o) -> int& { return o.socket.dscp; }, -1, 63);
  return s;
}

TEST(OptionsTest, TheDefaultsAreValid) { EXPECT_EQ(PoolOptions().Validate(), absl::OkStatus()); }

TEST(OptionsTest, TheExclusivePresetIsValid) {
  const PoolOptions options = PoolOptions::Exclusive();
  EXPECT_EQ(options.Validate(), absl::OkStatus());
  EXPECT_EQ(options.streams_per_connection_max, 1);
  EXPECT_EQ(options.connections_idle_min, 10);
  EXPECT_EQ(options.connections_max, 50);
  EXPECT_EQ(options.overflow, OverflowPolicy::kWait);
}

// It may be infinite.
TEST(OptionsTest, TheCheckoutTimeoutIsAboveZero) {
  PoolOptions options;
  options.checkout_timeout = absl::InfiniteDuration();
  EXPECT_EQ(options.Validate(), absl::OkStatus());
  options.checkout_timeout = absl::Milliseconds(1);
  EXPECT_EQ(options.Validate(), absl::OkStatus());
  options.checkout_timeout -= absl::Nanoseconds(1);
  EXPECT_THAT(options.Validate().ToString(), HasSubstr("checkout_timeout is 999.999us"));
}

TEST(OptionsTest, TakesTheEndsOfEachRange) {
  for (const Setting& setting : AllSettings().valid) {
    PoolOptions options;
    setting.set(options);
    EXPECT_EQ(options.Validate(), absl::OkStatus()) << setting.field << " = " << setting.value;
  }
}

TEST(OptionsTest, RefusesWhatIsBeyondThemAndSaysWhy) {
  for (const Setting& setting : AllSettings().invalid) {
    PoolOptions options;
    setting.set(options);
    const absl::Status status = options.Validate();
    SCOPED_TRACE(absl::StrCat(setting.field, " = ", setting.value));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr(setting.field));
    EXPECT_THAT(message, HasSubstr(setting.value));
    EXPECT_THAT(message, testing::AnyOf(HasSubstr("must be"), HasSubstr("lower the one")));
  }
}

// Two ranges have another field as their end.
TEST(OptionsTest, RefusesWhatDoesNotFitTogether) {
  PoolOptions options;
  options.connections_min = 5;
  options.connections_max = 4;
  EXPECT_THAT(std::string(options.Validate().message()),
              HasSubstr("connections_min (5) is above connections_max (4)"));
  options = {};
  options.backoff.initial = absl::Seconds(3);
  options.backoff.max = absl::Seconds(2);
  EXPECT_THAT(std::string(options.Validate().message()),
              HasSubstr("backoff.initial is 3s; it must be from 1ms to 2s"));
  options = {};
  options.health.timeout = absl::Seconds(3);
  options.health.interval = absl::Seconds(2);
  EXPECT_THAT(std::string(options.Validate().message()),
              HasSubstr("health.timeout is 3s; it must be from 1ms to 2s"));
}

// Fields whose ranges have a hole.
TEST(OptionsTest, TakesZeroAsTheKernelsDefault) {
  PoolOptions options;
  options.socket.user_timeout = absl::ZeroDuration();
  options.socket.send_buffer_bytes = options.socket.receive_buffer_bytes = 0;
  EXPECT_EQ(options.Validate(), absl::OkStatus());
  options.socket.user_timeout = absl::Microseconds(999);
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("user_timeout is 999us"));
  options = {};
  for (int* bytes : {&options.socket.send_buffer_bytes, &options.socket.receive_buffer_bytes}) {
    for (int good : {4 << 10, 64 << 20}) {
      *bytes = good;
      EXPECT_EQ(options.Validate(), absl::OkStatus()) << good;
    }
    for (int bad : {-1, 1, (4 << 10) - 1, (64 << 20) + 1}) {
      *bytes = bad;
      EXPECT_THAT(std::string(options.Validate().message()),
                  HasSubstr(absl::StrCat("_buffer_bytes is ", bad)));
    }
    *bytes = 0;
  }
}

TEST(OptionsTest, NoFactorIsNoPenalty) {
  PoolOptions options;
  options.latency_outlier_factor = 0;
  EXPECT_EQ(options.Validate(), absl::OkStatus());
  options.latency_outlier_factor = 1;
  EXPECT_THAT(std::string(options.Validate().message()),
              HasSubstr("latency_outlier_factor is 1; it must be from 1.5 to 100"));
}

TEST(OptionsTest, MetadataKeysAreThoseThatGrpcTakes) {
  const std::vector<std::pair<std::string, std::string PoolOptions::*>> fields = {
      {"affinity_metadata", &PoolOptions::affinity_metadata},
      {"backend_metadata", &PoolOptions::backend_metadata}};
  for (const auto& [name, field] : fields) {
    for (const std::string& good :
         {std::string(), std::string("x"), std::string("x-user_id.2"), std::string("key-bin"),
          std::string("grpcs"), std::string(128, 'a')}) {
      PoolOptions options;
      options.*field = good;
      EXPECT_EQ(options.Validate(), absl::OkStatus()) << name << " " << good;
    }
    for (const std::string& bad :
         {std::string("X-User"), std::string(":path"), std::string("a b"), std::string("a\0", 2),
          std::string("grpc-timeout"), std::string("\xc3\xa9"), std::string(129, 'a')}) {
      PoolOptions options;
      options.*field = bad;
      const absl::Status status = options.Validate();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name << " " << bad;
      EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat(name, " is \"")));
    }
  }
}

TEST(OptionsTest, SizingIsOneOfItsKinds) {
  PoolOptions options;
  EXPECT_EQ(options.sizing, SizingKind::kDemand);
  options.sizing = SizingKind::kAdaptive;
  EXPECT_EQ(options.Validate(), absl::OkStatus());
  for (const int bad : {-1, 2}) {
    options.sizing = static_cast<SizingKind>(bad);
    EXPECT_EQ(options.Validate(),
              absl::InvalidArgumentError(absl::StrCat(
                  "sizing is ", bad, "; it must be SizingKind::kDemand or kAdaptive")));
  }
}

TEST(OptionsTest, ADialerOfOnesOwnTakesNoSocketOptions) {
  class NoDialer final : public Dialer {
   public:
    std::unique_ptr<PendingDial> Dial(EventLoop&, const std::vector<Address>&, Done) override {
      return nullptr;
    }
  };
  PoolOptions options;
  options.socket.dscp = 64;
  EXPECT_FALSE(options.Validate().ok());
  options.dialer = std::make_shared<NoDialer>();
  EXPECT_EQ(options.Validate(), absl::OkStatus());
}

}  // namespace
}  // namespace predial
