#include "benchmarks/compare/link_options.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

void ExpectInvalid(const LinkOptions& options, const std::string& what, const std::string& range) {
  const absl::Status status = options.Validate();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << what;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(what), HasSubstr(range)));
}

TEST(LinkOptionsTest, DefaultsAndLimitsAreValid) {
  LinkOptions options;
  EXPECT_EQ(options.Validate(), absl::OkStatus());
  options.delay = absl::Seconds(10);
  options.rate = 10'000;
  options.stall_every = absl::Milliseconds(1);
  options.stall_length = absl::Milliseconds(1);
  EXPECT_EQ(options.Validate(), absl::OkStatus());
  options.rate = 100'000'000'000;
  options.stall_length = absl::Seconds(60);
  EXPECT_EQ(options.Validate(), absl::OkStatus());
}

TEST(LinkOptionsTest, SaysWhichValueIsOutOfWhichRange) {
  LinkOptions options;
  options.delay = absl::Milliseconds(-1);
  ExpectInvalid(options, "delay is -1ms", "within [0, 10s]");
  options.delay = absl::Seconds(11);
  ExpectInvalid(options, "delay is 11s", "within [0, 10s]");
  options = LinkOptions();
  options.rate = -1;
  ExpectInvalid(options, "rate is -1", "0 or within [10000, 100000000000] bits per second");
  options.rate = 9'999;
  ExpectInvalid(options, "rate is 9999", "0 or within [10000, 100000000000]");
  options.rate = 100'000'000'001;
  ExpectInvalid(options, "rate is 100000000001", "0 or within [10000, 100000000000]");
  options = LinkOptions();
  options.stall_every = absl::ZeroDuration();
  ExpectInvalid(options, "stall_every is 0", "within [1ms, inf]");
  options = LinkOptions();
  options.stall_length = absl::ZeroDuration();
  ExpectInvalid(options, "stall_length is 0", "within [1ms, 1m]");
  options.stall_length = absl::InfiniteDuration();
  ExpectInvalid(options, "stall_length is inf", "within [1ms, 1m]");
}

TEST(ParseRateTest, TakesDecimalMultiples) {
  EXPECT_EQ(ParseRate("0").value(), 0);
  EXPECT_EQ(ParseRate("1000000").value(), 1'000'000);
  EXPECT_EQ(ParseRate("64k").value(), 64'000);
  EXPECT_EQ(ParseRate("200M").value(), 200'000'000);
  EXPECT_EQ(ParseRate("1.5G").value(), 1'500'000'000);
  EXPECT_EQ(ParseRate("-1").value(), -1) << "a number, and then out of range";
}

TEST(ParseRateTest, RefusesWhatIsNoRate) {
  for (const char* text : {"", "M", "fast", "200m", "200 Mbit", "1e300", "nan", "inf", "2e9G"}) {
    const absl::StatusOr<int64_t> rate = ParseRate(text);
    EXPECT_EQ(rate.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(rate.status().message()),
                HasSubstr("'" + std::string(text) + "' is no rate"));
  }
}

}  // namespace
}  // namespace predial
