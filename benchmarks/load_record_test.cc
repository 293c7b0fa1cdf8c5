#include "benchmarks/load_record.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kMs = 1'000'000;

TEST(LoadRecordTest, CountsAndTimelinesAreOfTheEnds) {
  LoadRecord record(1000 * kMs);
  record.OnSuccess(1005 * kMs);
  record.OnSuccess(1009 * kMs);
  record.OnLost(1001 * kMs, 1025 * kMs, 14, "gone");
  record.OnSuccess(1020 * kMs);
  record.OnWrong();
  const std::string json = record.FinishAsJson(1030 * kMs);
  EXPECT_THAT(json, HasSubstr("\"rpcs\":5,\"ok\":3,\"wrong\":1,\"lost\":1,"));
  EXPECT_THAT(json, HasSubstr("\"began\":1000000000,\"ended\":1030000000,\"bucket\":10000000,"));
  EXPECT_THAT(json, HasSubstr("\"ok_timeline\":[2,0,1],\"lost_timeline\":[0,0,1]"));
  EXPECT_THAT(json, HasSubstr("\"causes\":[{\"code\":14,\"message\":\"gone\",\"count\":1}]"));
  EXPECT_THAT(json, HasSubstr("\"losses\":[[1001000000,1025000000,14]]"));
}

TEST(LoadRecordTest, GapsReachFromTheBeginningToTheEnd) {
  LoadRecord record(0);
  record.OnSuccess(30 * kMs);
  record.OnSuccess(45 * kMs);
  record.OnSuccess(44 * kMs);  // of another thread, reported late
  record.OnSuccess(46 * kMs);
  const std::string json = record.FinishAsJson(100 * kMs);
  EXPECT_THAT(json, HasSubstr("\"gaps\":[[0,30000000],[46000000,100000000]]"));
  EXPECT_THAT(json, HasSubstr("\"worst_gap\":54000000"));
}

TEST(LoadRecordTest, WithoutAnySuccessAllIsOneGap) {
  LoadRecord record(5 * kMs);
  record.OnLost(5 * kMs, 6 * kMs, 14, "gone");
  const std::string json = record.FinishAsJson(105 * kMs);
  EXPECT_THAT(json, HasSubstr("\"gaps\":[[5000000,105000000]]"));
  EXPECT_THAT(json, HasSubstr("\"ok_timeline\":[]"));
}

TEST(LoadRecordTest, ListsAreBounded) {
  LoadRecord record(0);
  for (int i = 0; i < LoadRecord::kLossesMax + 5; ++i) {
    record.OnLost(0, 1, 2, "cause " + std::to_string(i));
  }
  record.OnSuccess(LoadRecord::kBucketNanos * (LoadRecord::kBucketsMax + 7));
  const std::string json = record.FinishAsJson(2);
  EXPECT_THAT(json, HasSubstr("\"lost\":10005,"));
  EXPECT_THAT(json, HasSubstr("\"message\":\"cause 49\",\"count\":1}"));
  EXPECT_THAT(json, HasSubstr("\"message\":\"other\",\"count\":9955}"));
  EXPECT_THAT(json, Not(HasSubstr("cause 50")));
}

TEST(LoadRecordTest, JsonStringsAreEscaped) {
  EXPECT_EQ(JsonString("a\"b\\c\nd\xff"), "\"a\\\"b\\\\c\\u000ad\\u00ff\"");
}

}  // namespace
}  // namespace predial
