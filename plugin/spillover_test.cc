#include "plugin/spillover.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "plugin/core/types.h"
#include "plugin/lame_channel.h"
#include "plugin/member_table.h"
#include "plugin/recorded_signals.h"

namespace predial {
namespace {

class SpilloverTest : public testing::Test {
 protected:
  static std::shared_ptr<grpc::Channel> CreateChannel() {
    return CreateLameChannel("test", grpc::Status(grpc::StatusCode::UNAVAILABLE, "lame"));
  }

  RecordedSignals recorded_;
  MemberTable table_{MemberTable::Options(), recorded_.Receivers()};
  int created_ = 0;
  Spillover spillover_{table_, [this] {
                         ++created_;
                         return CreateChannel();
                       }};
};

TEST_F(SpilloverTest, HasNoRoomToBeginWith) {
  EXPECT_FALSE(spillover_.Acquire());
  EXPECT_EQ(created_, 0);
}

TEST_F(SpilloverTest, FillsOneChannelAfterTheOther) {
  spillover_.SetRoom(2, 3);
  std::vector<Lease> leases;
  for (int i = 0; i < 6; ++i) {
    leases.push_back(spillover_.Acquire());
    ASSERT_TRUE(leases.back());
    EXPECT_EQ(leases.back().source(), Lease::Source::kAnchor);
    EXPECT_EQ(created_, i < 3 ? 1 : 2);
  }
  EXPECT_FALSE(spillover_.Acquire());
  EXPECT_NE(leases.front().slot().channel(), leases.back().slot().channel());
  // A stream that ends makes room for another.
  leases[1].End();
  EXPECT_TRUE(spillover_.Acquire());
  EXPECT_EQ(created_, 2);
}

TEST_F(SpilloverTest, TellsThatTheLoadWantsLookingAt) {
  table_.SetAttention(1000);
  spillover_.SetRoom(1, 3);
  const Lease lease = spillover_.Acquire();
  EXPECT_EQ(recorded_.TakeAttentions(), 1);
}

TEST_F(SpilloverTest, WhatIsReleasedGoesWithItsLastStream) {
  spillover_.SetRoom(2, 3);
  Lease lease = spillover_.Acquire();
  const std::vector<Slot*> open = spillover_.Open();
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(spillover_.Release(), open);
  EXPECT_TRUE(spillover_.Open().empty());
  EXPECT_FALSE(table_.Close(open[0]));
  EXPECT_FALSE(table_.Free(open[0]));
  // Others take those that come.
  EXPECT_NE(&spillover_.Acquire().slot(), open[0]);
  EXPECT_TRUE(recorded_.TakeIdle().empty());
  lease.End();
  EXPECT_EQ(recorded_.TakeIdle(), open);
  EXPECT_TRUE(table_.Free(open[0]));
}

TEST_F(SpilloverTest, NoRoomAnyMore) {
  spillover_.SetRoom(1, 3);
  EXPECT_TRUE(spillover_.Acquire());
  spillover_.SetRoom(0, 3);
  EXPECT_FALSE(spillover_.Acquire());
}

TEST_F(SpilloverTest, ManyThreadsGetAPlaceEach) {
  constexpr int kThreads = 4;
  constexpr int kEach = 100;
  spillover_.SetRoom(kThreads * kEach / 10, 10);
  std::vector<Lease> leases[kThreads];
  std::vector<std::thread> threads;
  for (std::vector<Lease>& own : leases) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) own.push_back(spillover_.Acquire());
    });
  }
  // As the event loop does meanwhile.
  for (int i = 0; i < 100; ++i) {
    Slot* const slot = table_.Open(MemberId{}, CreateChannel(), 0);
    EXPECT_TRUE(table_.Close(slot));
    EXPECT_TRUE(table_.Free(slot));
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<Lease>& own : leases) {
    for (const Lease& lease : own) EXPECT_TRUE(lease);
  }
  EXPECT_FALSE(spillover_.Acquire());
  for (const Slot* slot : spillover_.Open()) EXPECT_EQ(slot->in_flight(), 10);
  EXPECT_EQ(created_, kThreads * kEach / 10);
}

using WhenFull = MemberTable::WhenFull;

TEST_F(SpilloverTest, TheTableTellsThatAllMembersAreFull) {
  table_.SetFallback(table_.Open(MemberId{}, CreateChannel(), 0));
  Slot* const member = table_.Open(MemberId{1}, CreateChannel(), 2);
  table_.Publish({member});
  const Lease first = table_.Acquire(WhenFull::kNone);
  const Lease second = table_.AcquireFor("key", WhenFull::kNone);
  EXPECT_EQ(first.source(), Lease::Source::kNew);
  EXPECT_EQ(second.source(), Lease::Source::kReused);
  EXPECT_FALSE(table_.Acquire(WhenFull::kNone));
  EXPECT_FALSE(table_.AcquireFor("key", WhenFull::kNone));
}

TEST_F(SpilloverTest, NoMoreThanItsLimitGoOnAMemberBeforeItsFirstAnswer) {
  table_.SetFallback(table_.Open(MemberId{}, CreateChannel(), 0));
  Slot* const member = table_.Open(MemberId{1}, CreateChannel(), 2);
  table_.Publish({member});
  Lease first = table_.Acquire();
  Lease second = table_.AcquireFor("key");
  EXPECT_FALSE(table_.Acquire());
  EXPECT_FALSE(table_.AcquireFor("key"));
  first.End(RpcOutcome::kError);
  for (const char* key : {"", "key"}) {
    std::vector<Lease> leases;
    for (int i = 0; i < 5; ++i) {
      leases.push_back(*key == 0 ? table_.Acquire() : table_.AcquireFor(key));
      EXPECT_EQ(&leases.back().slot(), member);
    }
    EXPECT_EQ(member->in_flight(), 6);
  }
}

TEST_F(SpilloverTest, AMemberThatKnowsItsConnectionTakesAnyNumber) {
  table_.SetFallback(table_.Open(MemberId{}, CreateChannel(), 0));
  MemberTable::Connection connection;
  connection.channel_knows = true;
  Slot* const fresh = table_.Open(MemberId{1}, CreateChannel(), 1);
  Slot* const knows = table_.Open(MemberId{2}, CreateChannel(), 1, connection);
  EXPECT_FALSE(fresh->MayExceed());
  EXPECT_TRUE(knows->MayExceed());
}

TEST_F(SpilloverTest, TheTableTellsThatTheFallbackIsFull) {
  table_.SetFallback(table_.Open(MemberId{}, CreateChannel(), 1));
  EXPECT_TRUE(table_.Acquire());
  Slot* const closed = table_.Open(MemberId{1}, CreateChannel(), 0);
  for (const std::vector<Slot*>& published : {std::vector<Slot*>(), {closed}}) {
    table_.Publish(published);
    if (!published.empty()) table_.Close(closed);
    const Lease lease = table_.Acquire(WhenFull::kNone);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease.source(), Lease::Source::kAnchor);
    EXPECT_FALSE(table_.Acquire(WhenFull::kNone));
    EXPECT_FALSE(table_.AcquireFor("key", WhenFull::kNone));
    EXPECT_TRUE(table_.Acquire());
  }
}

}  // namespace
}  // namespace predial
