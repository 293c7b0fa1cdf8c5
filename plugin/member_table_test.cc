#include "plugin/member_table.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plugin/core/picker.h"
#include "plugin/core/types.h"
#include "plugin/io/unique_fd.h"
#include "plugin/lame_channel.h"
#include "plugin/recorded_signals.h"

namespace predial {
namespace {

constexpr uint32_t kNoLimit = 0;

std::shared_ptr<grpc::Channel> NewChannel() {
  return CreateLameChannel("test", grpc::Status(grpc::StatusCode::UNAVAILABLE, "lame"));
}

// A connection of a member, and the peer's end of it.
struct Connection {
  Connection() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    socket = std::make_shared<const UniqueFd>(ends[0]);
    peer.Reset(ends[1]);
  }
  std::shared_ptr<const UniqueFd> socket;
  UniqueFd peer;
};

class MemberTableTest : public testing::TestWithParam<PickerKind> {
 protected:
  MemberTableTest() { table_.SetFallback(fallback_); }

  Slot* Open(uint32_t limit = kNoLimit) {
    return table_.Open(MemberId{++last_id_}, NewChannel(), limit);
  }
  // Several at once, from one thread.
  std::vector<Lease> Acquire(int count) {
    std::vector<Lease> leases;
    for (int i = 0; i < count; ++i) leases.push_back(table_.Acquire());
    return leases;
  }

  RecordedSignals signalled_;
  MemberTable table_{{/*capacity=*/16, GetParam()}, signalled_.Receivers()};
  uint64_t last_id_ = 0;
  Slot* const fallback_ = table_.Open(MemberId{0}, NewChannel(), kNoLimit);
};

std::string NameOf(const testing::TestParamInfo<PickerKind>& info) {
  switch (info.param) {
    case PickerKind::kRoundRobin:
      return "RoundRobin";
    case PickerKind::kPowerOfTwoChoices:
      return "PowerOfTwoChoices";
    case PickerKind::kLeastLoaded:
      return "LeastLoaded";
    case PickerKind::kPeakEwma:
      return "PeakEwma";
  }
  return "";
}

INSTANTIATE_TEST_SUITE_P(AllPickers, MemberTableTest,
                         testing::Values(PickerKind::kRoundRobin, PickerKind::kPowerOfTwoChoices,
                                         PickerKind::kLeastLoaded, PickerKind::kPeakEwma),
                         NameOf);

TEST_P(MemberTableTest, LeasesThePublishedMemberUntilTheEnd) {
  const auto channel = NewChannel();
  Slot* slot = table_.Open(MemberId{7}, channel, kNoLimit);
  table_.Publish({slot});
  {
    const Lease lease = table_.Acquire();
    EXPECT_EQ(&lease.slot(), slot);
    EXPECT_EQ(lease.slot().id(), MemberId{7});
    EXPECT_EQ(lease.slot().channel(), channel);
    EXPECT_EQ(slot->in_flight(), 1);
  }
  EXPECT_EQ(slot->in_flight(), 0);
  EXPECT_EQ(slot->rpcs(), 1u);
}

TEST_P(MemberTableTest, AnEndedLeaseIsNotReturnedAgain) {
  Slot* slot = Open();
  table_.Publish({slot});
  Lease other = table_.Acquire();
  Lease lease = table_.Acquire();
  lease.End(RpcOutcome::kOk);
  lease.End();
  lease.End(RpcOutcome::kConnectionGone);
  EXPECT_EQ(slot->in_flight(), 1);
  EXPECT_TRUE(signalled_.TakeGoingAway().empty());
}

TEST_P(MemberTableTest, AMovedLeaseIsReturnedOnce) {
  Slot* slot = Open();
  table_.Publish({slot});
  Lease first = table_.Acquire();
  Lease second = std::move(first);
  EXPECT_EQ(slot->in_flight(), 1);
  second = table_.Acquire();  // gives the one it had back
  EXPECT_EQ(slot->in_flight(), 1);
  second = Lease();
  EXPECT_EQ(slot->in_flight(), 0);
}

TEST_P(MemberTableTest, OnlyTheFirstLeaseOfAMemberIsNew) {
  Slot* slot = Open();
  table_.Publish({slot});
  EXPECT_EQ(table_.Acquire().source(), Lease::Source::kNew);
  EXPECT_EQ(table_.Acquire().source(), Lease::Source::kReused);
  EXPECT_EQ(table_.Acquire().source(), Lease::Source::kReused);
}

TEST_P(MemberTableTest, WithNothingPublishedTheFallbackCarries) {
  Open();  // not published
  const Lease lease = table_.Acquire();
  EXPECT_EQ(&lease.slot(), fallback_);
  EXPECT_EQ(lease.source(), Lease::Source::kAnchor);
}

TEST_P(MemberTableTest, PublishingNothingGoesBackToTheFallback) {
  table_.Publish({Open(), Open()});
  EXPECT_NE(&table_.Acquire().slot(), fallback_);
  table_.Publish({});
  EXPECT_EQ(&table_.Acquire().slot(), fallback_);
}

TEST_P(MemberTableTest, ClosedMembersAreSkippedWhileStillPublished) {
  Slot* a = Open();
  Slot* b = Open();
  table_.Publish({a, b});
  EXPECT_TRUE(table_.Close(a));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(&table_.Acquire().slot(), b);
  EXPECT_TRUE(table_.Close(b));
  EXPECT_EQ(&table_.Acquire().slot(), fallback_);
  EXPECT_EQ(a->rpcs(), 0u);
  EXPECT_EQ(b->rpcs(), 10u);
  EXPECT_TRUE(signalled_.TakeIdle().empty());
  EXPECT_TRUE(table_.Free(a));
  EXPECT_TRUE(table_.Free(b));
}

TEST_P(MemberTableTest, AnExchangedFallbackTakesOver) {
  Slot* next = Open();
  Lease old = table_.Acquire();
  table_.SetFallback(next);
  EXPECT_FALSE(table_.Close(fallback_));
  EXPECT_EQ(&table_.Acquire().slot(), next);
  old.End();
  EXPECT_EQ(signalled_.TakeIdle(), std::vector<Slot*>{fallback_});
  EXPECT_TRUE(table_.Free(fallback_));
}

TEST_P(MemberTableTest, AMemberAtItsLimitGetsNoMoreWhileAnotherHasRoom) {
  Slot* narrow = Open(/*limit=*/2);
  Slot* wide = Open(/*limit=*/10);
  table_.Publish({narrow, wide});
  const std::vector<Lease> leases = Acquire(12);
  EXPECT_EQ(narrow->in_flight(), 2);
  EXPECT_EQ(wide->in_flight(), 10);
}

TEST_P(MemberTableTest, WhenAllAreAtTheirLimitTheyShare) {
  Slot* a = Open(/*limit=*/1);
  Slot* b = Open(/*limit=*/1);
  table_.Publish({a, b});
  for (Lease& lease : Acquire(2)) lease.End(RpcOutcome::kOk);
  const std::vector<Lease> leases = Acquire(100);
  EXPECT_EQ(a->in_flight() + b->in_flight(), 100);
  EXPECT_EQ(fallback_->in_flight(), 0);
  EXPECT_GE(a->in_flight(), 10);
  EXPECT_GE(b->in_flight(), 10);
}

TEST_P(MemberTableTest, ALimitOfZeroIsNone) {
  Slot* slot = Open(kNoLimit);
  table_.Publish({slot, Open(/*limit=*/1)});
  const std::vector<Lease> leases = Acquire(50);
  EXPECT_GE(slot->in_flight(), 49);
}

TEST_P(MemberTableTest, EveryMemberGetsItsShare) {
  std::vector<Slot*> slots;
  for (int i = 0; i < 4; ++i) slots.push_back(Open());
  table_.Publish(slots);
  const std::vector<Lease> leases = Acquire(400);
  for (Slot* slot : slots) {
    EXPECT_GE(slot->in_flight(), 60);
    EXPECT_LE(slot->in_flight(), 140);
  }
}

TEST_P(MemberTableTest, ClosingAnIdleSlotNeedsNoSignal) {
  Slot* slot = Open();
  table_.Publish({slot});
  table_.Acquire().End();
  table_.Publish({});
  EXPECT_TRUE(table_.Close(slot));
  EXPECT_TRUE(signalled_.TakeIdle().empty());
}

TEST_P(MemberTableTest, TheLastLeaseOfAClosedSlotSignals) {
  Slot* slot = Open();
  table_.Publish({slot});
  std::vector<Lease> leases = Acquire(2);
  table_.Publish({});
  EXPECT_FALSE(table_.Close(slot));
  leases.pop_back();
  EXPECT_TRUE(signalled_.TakeIdle().empty());
  leases.pop_back();
  EXPECT_EQ(signalled_.TakeIdle(), std::vector<Slot*>{slot});
}

TEST_P(MemberTableTest, LeasesOfAnOpenSlotNeverSignalIdle) {
  Slot* slot = Open();
  table_.Publish({slot});
  for (int i = 0; i < 10; ++i) table_.Acquire().End(RpcOutcome::kOk);
  EXPECT_TRUE(signalled_.TakeIdle().empty());
}

TEST_P(MemberTableTest, FreeRefusesWhatIsOpenOrLeasedOrFree) {
  const auto channel = NewChannel();
  const std::weak_ptr<grpc::Channel> alive = channel;
  Slot* slot = table_.Open(MemberId{7}, channel, kNoLimit);
  table_.Publish({slot});
  EXPECT_FALSE(table_.Free(slot));
  Lease lease = table_.Acquire();
  table_.Publish({});
  EXPECT_FALSE(table_.Close(slot));
  EXPECT_FALSE(table_.Free(slot));
  EXPECT_EQ(lease.slot().channel(), channel);
  lease.End();
  EXPECT_EQ(channel.use_count(), 2);
  EXPECT_TRUE(table_.Free(slot));
  EXPECT_EQ(channel.use_count(), 1);
  EXPECT_FALSE(table_.Free(slot));
}

TEST_P(MemberTableTest, AReusedSlotBeginsAnew) {
  Slot* slot = Open(/*limit=*/1);
  table_.Publish({slot});
  for (int i = 0; i < 5; ++i) table_.Acquire().End(RpcOutcome::kOk);
  EXPECT_TRUE(slot->proved());
  table_.Publish({});
  table_.Close(slot);
  ASSERT_TRUE(table_.Free(slot));

  Slot* again = table_.Open(MemberId{99}, NewChannel(), kNoLimit);
  ASSERT_EQ(again, slot);
  EXPECT_EQ(again->id(), MemberId{99});
  EXPECT_EQ(again->rpcs(), 0u);
  EXPECT_EQ(again->in_flight(), 0);
  EXPECT_FALSE(again->proved());
  table_.Publish({again});
  const std::vector<Lease> leases = Acquire(2);
  EXPECT_EQ(leases[0].source(), Lease::Source::kNew);
  EXPECT_EQ(again->in_flight(), 2);
}

TEST_P(MemberTableTest, AnAnswerProvesAMember) {
  Slot* slot = Open();
  table_.Publish({slot});
  table_.Acquire().End();
  EXPECT_FALSE(slot->proved());
  table_.Acquire().End(RpcOutcome::kOk);
  EXPECT_TRUE(slot->proved());
}

TEST_P(MemberTableTest, AMemberWhoseConnectionIsGoneGetsNoFurtherLease) {
  Slot* slot = Open();
  table_.Publish({slot});
  Lease other = table_.Acquire();
  table_.Acquire().End(RpcOutcome::kConnectionGone);
  EXPECT_EQ(&table_.Acquire().slot(), fallback_);
  EXPECT_EQ(signalled_.TakeGoingAway(), std::vector<MemberId>{slot->id()});
  // The one that is still out ends in the same way: told once.
  other.End(RpcOutcome::kConnectionGone);
  EXPECT_TRUE(signalled_.TakeGoingAway().empty());
  EXPECT_EQ(signalled_.TakeIdle().back(), slot);
  EXPECT_TRUE(table_.Close(slot));
  EXPECT_TRUE(table_.Free(slot));
}

TEST_P(MemberTableTest, TheFallbackIsNeverGoingAway) {
  table_.Acquire().End(RpcOutcome::kConnectionGone);
  EXPECT_EQ(&table_.Acquire().slot(), fallback_);
  EXPECT_TRUE(signalled_.TakeGoingAway().empty());
}

TEST_P(MemberTableTest, AttentionComesOnceUntilItIsSetAgain) {
  table_.Publish({Open()});
  signalled_.TakeAttentions();
  table_.SetAttention(0);
  for (int i = 0; i < 10; ++i) table_.Acquire();
  EXPECT_EQ(signalled_.TakeAttentions(), 1);
  table_.SetAttention(0);
  table_.Acquire();
  EXPECT_EQ(signalled_.TakeAttentions(), 1);
}

TEST_P(MemberTableTest, AttentionWaitsForThatManyOnAMember) {
  table_.Publish({Open()});
  table_.SetAttention(3);
  std::vector<Lease> leases = Acquire(3);
  EXPECT_EQ(signalled_.TakeAttentions(), 0);
  leases.push_back(table_.Acquire());
  EXPECT_EQ(signalled_.TakeAttentions(), 1);
}

TEST_P(MemberTableTest, RpcsOnTheFallbackAlwaysCountForAttention) {
  table_.SetAttention(UINT32_MAX);
  table_.Acquire();
  EXPECT_EQ(signalled_.TakeAttentions(), 1);
  table_.Acquire();
  EXPECT_EQ(signalled_.TakeAttentions(), 0);
}

TEST_P(MemberTableTest, AMemberWhosePeerHungUpIsNotLeased) {
  Connection dead, alive;
  Slot* a = table_.Open(MemberId{1}, NewChannel(), kNoLimit, {dead.socket});
  Slot* b = table_.Open(MemberId{2}, NewChannel(), kNoLimit, {alive.socket});
  table_.Publish({a, b});
  dead.peer.Reset();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(&table_.Acquire().slot(), b);
  EXPECT_EQ(signalled_.TakeGoingAway(), std::vector<MemberId>{MemberId{1}});
  EXPECT_EQ(a->rpcs(), 0u);
  EXPECT_TRUE(table_.Close(a));
  EXPECT_TRUE(table_.Free(a));
  EXPECT_EQ(dead.socket.use_count(), 1);
}

TEST_P(MemberTableTest, AMemberWhoseChannelHasLostItsConnectionIsNotLeased) {
  MemberTable::Connection managed;
  managed.channel_knows = true;
  Slot* a = table_.Open(MemberId{1}, NewChannel(), kNoLimit, managed);
  Slot* b = table_.Open(MemberId{2}, NewChannel(), kNoLimit);
  table_.Publish({a, b});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(&table_.Acquire().slot(), b);
  EXPECT_EQ(signalled_.TakeGoingAway(), std::vector<MemberId>{MemberId{1}});
  EXPECT_FALSE(table_.Acquire().slot().HasLeft());
}

TEST_P(MemberTableTest, WithoutAliveCheckALeaseCanTellThatItsChannelHasLeft) {
  MemberTable table({/*capacity=*/4, GetParam(), /*alive_check=*/false}, signalled_.Receivers());
  table.SetFallback(table.Open(MemberId{0}, NewChannel(), kNoLimit));
  MemberTable::Connection managed;
  managed.channel_knows = true;
  table.Publish({table.Open(MemberId{1}, NewChannel(), kNoLimit, managed)});
  EXPECT_TRUE(table.Acquire().slot().HasLeft());
}

TEST_P(MemberTableTest, ASocketWithUnreadBytesIsAlive) {
  Connection connection;
  Slot* slot = table_.Open(MemberId{1}, NewChannel(), kNoLimit, {connection.socket});
  table_.Publish({slot});
  ASSERT_EQ(send(connection.peer.get(), "settings", 8, MSG_NOSIGNAL), 8);
  EXPECT_EQ(&table_.Acquire().slot(), slot);
}

TEST_P(MemberTableTest, WhenOneConnectionIsGoneTheOthersAreLookedAt) {
  Connection dead, alive;
  MemberTable table({/*capacity=*/4, GetParam(), /*alive_check=*/false}, signalled_.Receivers());
  table.SetFallback(table.Open(MemberId{0}, NewChannel(), kNoLimit));
  Slot* a = table.Open(MemberId{1}, NewChannel(), kNoLimit, {dead.socket});
  Slot* b = table.Open(MemberId{2}, NewChannel(), kNoLimit, {dead.socket});
  Slot* c = table.Open(MemberId{3}, NewChannel(), kNoLimit, {alive.socket});
  dead.peer.Reset();
  // Without alive_check nobody looks before.
  table.Publish({a});
  Lease lease = table.Acquire();
  EXPECT_EQ(&lease.slot(), a);
  table.Publish({a, b, c});
  lease.End(RpcOutcome::kConnectionGone);
  EXPECT_EQ(signalled_.TakeGoingAway(), (std::vector<MemberId>{MemberId{1}, MemberId{2}}));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(&table.Acquire().slot(), c);
  EXPECT_EQ(b->rpcs(), 0u);
}

TEST_P(MemberTableTest, TheFallbackIsThereOnRequest) {
  table_.Publish({Open()});
  const Lease lease = table_.AcquireFallback();
  EXPECT_EQ(&lease.slot(), fallback_);
  EXPECT_EQ(lease.source(), Lease::Source::kAnchor);
}

}  // namespace
}  // namespace predial
