#include "plugin/metrics/prometheus_options.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

using ::testing::HasSubstr;

template <typename Change>
std::string Fault(Change change) {
  PrometheusOptions options;
  change(options);
  const absl::Status status = options.Validate();
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

TEST(PrometheusOptionsTest, DefaultsAreValid) {
  EXPECT_EQ(Fault([](PrometheusOptions&) {}), "");
}

TEST(PrometheusOptionsTest, FaultsNameTheField) {
  EXPECT_THAT(Fault([](PrometheusOptions& o) { o.latency_buckets = {}; }),
              HasSubstr("PrometheusOptions::latency_buckets has 0 bounds"));
  EXPECT_THAT(Fault([](PrometheusOptions& o) {
                o.checkout_buckets = {1, 0.5};
              }),
              HasSubstr("PrometheusOptions::checkout_buckets[1] = 0.5: must exceed"));
  EXPECT_THAT(Fault([](PrometheusOptions& o) { o.dial_buckets = {-1}; }),
              HasSubstr("PrometheusOptions::dial_buckets[0] = -1: must be in"));
  EXPECT_EQ(Fault([](PrometheusOptions& o) { o.endpoints_max = 0; }),
            "PrometheusOptions::endpoints_max = 0: must be in [1, 100000]");
  EXPECT_EQ(Fault([](PrometheusOptions& o) { o.methods_max = -1; }),
            "PrometheusOptions::methods_max = -1: must be in [1, 100000]");
  EXPECT_EQ(Fault([](PrometheusOptions& o) { o.targets_max = 100001; }),
            "PrometheusOptions::targets_max = 100001: must be in [1, 100000]");
}

TEST(PrometheusOptionsTest, TheEndsOfTheRangesAreValid) {
  for (int value : {1, 100000}) {
    EXPECT_EQ(Fault([value](PrometheusOptions& o) {
                o.endpoints_max = value;
                o.methods_max = value;
                o.targets_max = value;
              }),
              "");
  }
}

}  // namespace
}  // namespace predial
