#include "plugin/io/dialer.h"

#include "absl/strings/cord.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

TEST(DialerTest, EveryResultIsReadBack) {
  for (int i = 1; i < kDialResults; ++i) {
    const auto result = static_cast<DialResult>(i);
    const absl::Status status = DialError(result, "127.0.0.1:1: why");
    EXPECT_EQ(DialResultOf(status), result);
    EXPECT_EQ(status.message(), "127.0.0.1:1: why");
    EXPECT_FALSE(status.ok());
  }
}

TEST(DialerTest, CodesFollowFromResults) {
  EXPECT_EQ(DialError(DialResult::kRefused, "").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DialError(DialResult::kUnreachable, "").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DialError(DialResult::kNotHttp2, "").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DialError(DialResult::kError, "").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(DialError(DialResult::kTimeout, "").code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(DialError(DialResult::kLocalLimit, "").code(), absl::StatusCode::kResourceExhausted);
}

TEST(DialerTest, OtherStatuses) {
  EXPECT_EQ(DialResultOf(absl::OkStatus()), DialResult::kOk);
  EXPECT_EQ(DialResultOf(DialError(DialResult::kOk, "")), DialResult::kOk);
  EXPECT_EQ(DialResultOf(absl::DeadlineExceededError("somebody else's")), DialResult::kError);
  absl::Status spoilt = DialError(DialResult::kTimeout, "");
  spoilt.SetPayload("type.googleapis.com/predial.DialResult", absl::Cord("99"));
  EXPECT_EQ(DialResultOf(spoilt), DialResult::kError);
}

}  // namespace
}  // namespace predial
