// What a member wears out by: RPCs, failures, silence; and the weights of those that are published.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "plugin/member_table.h"
#include "plugin/recorded_signals.h"

namespace predial {
namespace {

class MemberTableWearTest : public testing::Test {
 protected:
  MemberTableWearTest() { table_.SetFallback(fallback_); }

  Slot* Open() { return table_.Open(MemberId{++last_id_}, channel_, /*stream_limit=*/0); }
  void End(int count, RpcOutcome outcome) {
    for (int i = 0; i < count; ++i) table_.Acquire().End(outcome);
  }
  using Streaks = std::vector<std::pair<MemberId, FailureStreak>>;

  // Never used, so never connected: a lease only holds it.
  const std::shared_ptr<grpc::Channel> channel_ =
      grpc::CreateChannel("127.0.0.1:1", grpc::InsecureChannelCredentials());
  RecordedSignals signalled_;
  MemberTable table_{{/*capacity=*/4, PickerKind::kRoundRobin, /*alive_check=*/false,
                      /*failures=*/{/*ailing=*/3, /*any=*/6}},
                     signalled_.Receivers()};
  uint64_t last_id_ = 0;
  Slot* const fallback_ = table_.Open(MemberId{0}, channel_, /*stream_limit=*/0);
};

TEST_F(MemberTableWearTest, AMemberIsWornOnceAndTakesNoMoreThanItsMost) {
  Slot* slot = Open();
  table_.LimitRpcs(slot, /*worn_at=*/3, /*max=*/5);
  table_.Publish({slot});
  for (int rpc = 1; rpc <= 5; ++rpc) {
    EXPECT_EQ(&table_.Acquire().slot(), slot);
    EXPECT_EQ(signalled_.TakeWorn().size(), rpc == 3 ? 1u : 0u) << rpc;
  }
  EXPECT_EQ(&table_.Acquire().slot(), fallback_);
  EXPECT_EQ(slot->rpcs(), 5u);
  EXPECT_TRUE(signalled_.TakeWorn().empty());
}

TEST_F(MemberTableWearTest, OneThatIsWornLeavesTheRpcToTheNext) {
  Slot* worn = Open();
  Slot* other = Open();
  table_.LimitRpcs(worn, 1, 1);
  table_.Publish({worn, other});
  End(10, RpcOutcome::kOk);
  EXPECT_EQ(worn->rpcs(), 1u);
  EXPECT_EQ(other->rpcs(), 9u);
}

TEST_F(MemberTableWearTest, ALimitThatIsPastAlreadySignalsWithTheNextRpc) {
  Slot* slot = Open();
  table_.Publish({slot});
  End(10, RpcOutcome::kOk);
  table_.LimitRpcs(slot, 5, 100);
  EXPECT_TRUE(signalled_.TakeWorn().empty());
  End(2, RpcOutcome::kOk);
  EXPECT_EQ(signalled_.TakeWorn(), std::vector<MemberId>{MemberId{1}});
}

TEST_F(MemberTableWearTest, FailuresOfAnAilingServerSignalAfterFew) {
  table_.Publish({Open()});
  End(2, RpcOutcome::kFailed);
  EXPECT_EQ(signalled_.TakeFailing(), Streaks());
  End(1, RpcOutcome::kFailed);
  EXPECT_EQ(signalled_.TakeFailing(), (Streaks{{MemberId{1}, FailureStreak::kAiling}}));
  End(3, RpcOutcome::kFailed);  // and again after as many more
  EXPECT_EQ(signalled_.TakeFailing(), (Streaks{{MemberId{1}, FailureStreak::kAiling}}));
}

TEST_F(MemberTableWearTest, OneSuccessEndsAStreak) {
  Slot* slot = Open();
  table_.Publish({slot});
  EXPECT_FALSE(slot->succeeded());
  for (int i = 0; i < 10; ++i) {
    End(2, RpcOutcome::kFailed);
    End(1, RpcOutcome::kOk);
  }
  EXPECT_TRUE(slot->succeeded());
  EXPECT_EQ(signalled_.TakeFailing(), Streaks());
}

TEST_F(MemberTableWearTest, FailuresOfAnyCodeSignalAfterMore) {
  table_.Publish({Open()});
  End(5, RpcOutcome::kError);
  EXPECT_EQ(signalled_.TakeFailing(), Streaks());
  End(1, RpcOutcome::kCancelled);
  EXPECT_EQ(signalled_.TakeFailing(), (Streaks{{MemberId{1}, FailureStreak::kAny}}));
}

TEST_F(MemberTableWearTest, AMissedDeadlineSignalsUntilItWasLookedInto) {
  Slot* slot = Open();
  table_.Publish({slot});
  End(2, RpcOutcome::kUnanswered);
  EXPECT_EQ(signalled_.TakeUnanswered(), std::vector<MemberId>{MemberId{1}});
  EXPECT_FALSE(slot->proved());
  table_.Unsuspect(slot);
  End(1, RpcOutcome::kUnanswered);
  EXPECT_EQ(signalled_.TakeUnanswered(), std::vector<MemberId>{MemberId{1}});
}

TEST_F(MemberTableWearTest, WhatFailsOnTheFallbackSignalsNothing) {
  for (int i = 0; i < 20; ++i) table_.Acquire().End(RpcOutcome::kFailed);
  table_.Acquire().End(RpcOutcome::kUnanswered);
  EXPECT_EQ(signalled_.TakeFailing(), Streaks());
  EXPECT_TRUE(signalled_.TakeUnanswered().empty());
}

TEST_F(MemberTableWearTest, AMemberThatIsPublishedMoreOftenGetsMore) {
  Slot* full = Open();
  Slot* starting = Open();
  table_.Publish({full, full, full, starting});
  End(40, RpcOutcome::kOk);
  EXPECT_EQ(full->rpcs(), 30u);
  EXPECT_EQ(starting->rpcs(), 10u);
}

TEST_F(MemberTableWearTest, AReusedSlotForgetsItsWear) {
  Slot* slot = Open();
  table_.LimitRpcs(slot, 1, 2);
  table_.Publish({slot});
  End(2, RpcOutcome::kFailed);
  table_.Publish({});
  EXPECT_TRUE(table_.Close(slot));
  ASSERT_TRUE(table_.Free(slot));
  signalled_.TakeWorn();
  ASSERT_EQ(Open(), slot);
  table_.Publish({slot});
  End(2, RpcOutcome::kFailed);
  EXPECT_EQ(slot->rpcs(), 2u);
  EXPECT_TRUE(signalled_.TakeWorn().empty());
  EXPECT_EQ(signalled_.TakeFailing(), Streaks());
}

}  // namespace
}  // namespace predial
