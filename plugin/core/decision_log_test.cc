#include "plugin/core/decision_log.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

TEST(DecisionLogTest, KeepsTheLast500TheOldestFirst) {
  DecisionLog log;
  for (int i = 0; i < 1234; ++i) {
    log.Add({Time() + Duration(i), "drain", MemberId{1}, EndpointId{2}, absl::StrCat(i)});
    EXPECT_LE(log.decisions().size(), 500u);
  }
  ASSERT_EQ(log.decisions().size(), 500u);
  EXPECT_EQ(log.decisions().front().reason, "734");
  EXPECT_EQ(log.decisions().back().reason, "1233");
}

TEST(DecisionLogTest, BeginsEmpty) { EXPECT_TRUE(DecisionLog().decisions().empty()); }

}  // namespace
}  // namespace predial
