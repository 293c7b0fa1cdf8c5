// How MemberTable chooses by latency, by key and by weight, and what it learns for that.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/core/picker.h"
#include "plugin/core/types.h"
#include "plugin/member_table.h"
#include "plugin/recorded_signals.h"

namespace predial {
namespace {

class MemberSelectionTest : public testing::Test {
 protected:
  // The members of `limits`, published: 0 is without a limit.
  void Start(PickerKind picker, const std::vector<uint32_t>& limits, bool count_latency = false) {
    MemberTable::Options options;
    options.capacity = 16;
    options.picker = picker;
    options.alive_check = false;
    options.count_latency = count_latency;
    table_ = std::make_unique<MemberTable>(options, signalled_.Receivers());
    fallback_ = table_->Open(MemberId{0}, channel_, 0);
    table_->SetFallback(fallback_);
    for (uint32_t limit : limits) Open(limit);
    table_->Publish(slots_);
  }
  Slot* Open(uint32_t limit = 0) {
    slots_.push_back(table_->Open(MemberId{++last_id_}, channel_, limit));
    return slots_.back();
  }
  Slot* Other(const Slot* slot) { return slots_[slot == slots_[0] ? 1 : 0]; }
  // Where an RPC goes; how it ends is not told.
  const Slot* Choice() { return &table_->Acquire().slot(); }
  const Slot* Choice(const std::string& key) { return &table_->AcquireFor(key).slot(); }

  // Never used, so never connected: a lease only holds it.
  const std::shared_ptr<grpc::Channel> channel_ =
      grpc::CreateChannel("127.0.0.1:1", grpc::InsecureChannelCredentials());
  RecordedSignals signalled_;
  std::unique_ptr<MemberTable> table_;
  uint64_t last_id_ = 0;
  std::vector<Slot*> slots_;
  Slot* fallback_ = nullptr;
};

TEST_F(MemberSelectionTest, AThreadStaysForAWhileAndThenGoesOn) {
  Start(PickerKind::kRoundRobin, {0, 0, 0});
  table_->SetStay(true);
  std::map<const Slot*, uint32_t> chosen;
  uint32_t moves = 0;
  const Slot* last = nullptr;
  for (uint32_t i = 0; i < 30 * MemberTable::kStay; ++i) {
    const Slot* slot = Choice();
    ++chosen[slot];
    if (slot != last) ++moves;
    last = slot;
  }
  EXPECT_EQ(moves, 30u);
  for (const Slot* slot : slots_) EXPECT_EQ(chosen[slot], 10 * MemberTable::kStay);
  table_->SetStay(false);
  last = Choice();
  for (int i = 0; i < 6; ++i) {
    const Slot* const next = Choice();
    EXPECT_NE(next, last);
    last = next;
  }
}

TEST_F(MemberSelectionTest, AThreadThatStaysGoesToAnIdleMemberIfItsOwnIsTaken) {
  Start(PickerKind::kRoundRobin, {0, 0, 0});
  table_->SetStay(true);
  const Lease first = table_->Acquire();
  const Lease second = table_->Acquire();
  EXPECT_NE(&second.slot(), &first.slot());
  const Slot* const third = Choice();
  EXPECT_NE(third, &first.slot());
  EXPECT_NE(third, &second.slot());
  EXPECT_EQ(Choice(), third);
  // Where none is idle, they take turns.
  const Lease all = table_->Acquire();
  std::set<const Slot*> chosen;
  for (int i = 0; i < 3; ++i) chosen.insert(Choice());
  EXPECT_EQ(chosen.size(), 3u);
}

TEST_F(MemberSelectionTest, CountsLeasesThatKeepAThreadWaiting) {
  Start(PickerKind::kRoundRobin, {0});
  EXPECT_EQ(table_->CountBlocking(), 0);
  Lease ended = table_->Acquire();
  ended.SetBlocking();
  ended.SetBlocking();  // is once
  Lease undone = table_->Acquire();
  undone.SetBlocking();
  const Lease other = table_->Acquire();
  Lease elsewhere = table_->AcquireFallback();
  elsewhere.SetBlocking();
  EXPECT_EQ(table_->CountBlocking(), 3);
  undone.Undo();
  EXPECT_EQ(table_->CountBlocking(), 2);
  ended.End(RpcOutcome::kOk);
  EXPECT_EQ(table_->CountBlocking(), 1);
  // With a move, and on another thread.
  std::thread([moved = std::move(elsewhere)] {}).join();
  EXPECT_EQ(table_->CountBlocking(), 0);
  Lease none;
  none.SetBlocking();
  EXPECT_EQ(table_->CountBlocking(), 0);
}

TEST_F(MemberSelectionTest, PeakEwmaTriesEachNewMemberWithOneRpc) {
  Start(PickerKind::kPeakEwma, {0, 0});
  const Lease first = table_->Acquire();
  Lease second = table_->Acquire();
  EXPECT_NE(&first.slot(), &second.slot());
  const Slot* answered = &second.slot();
  second.End(RpcOutcome::kOk);
  for (int i = 0; i < 50; ++i) {
    Lease lease = table_->Acquire();
    EXPECT_EQ(&lease.slot(), answered) << "the other has not answered yet";
    lease.End(RpcOutcome::kOk);
  }
}

// The slow RPC spans all the others, so it took longer than any of them, whatever the machine does.
TEST_F(MemberSelectionTest, PeakEwmaAvoidsTheSlow) {
  for (const RpcOutcome outcome :
       {RpcOutcome::kOk, RpcOutcome::kError, RpcOutcome::kFailed, RpcOutcome::kUnanswered}) {
    slots_.clear();
    Start(PickerKind::kPeakEwma, {0, 0});
    Lease slow = table_->Acquire();
    Slot* const fast = Other(&slow.slot());
    for (int i = 0; i < 50; ++i) {
      Lease lease = table_->Acquire();
      EXPECT_EQ(&lease.slot(), fast);
      lease.End(RpcOutcome::kOk);
    }
    slow.End(outcome);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(Choice(), fast) << static_cast<int>(outcome);
  }
}

TEST_F(MemberSelectionTest, PeakEwmaDoesNotMeasureStreams) {
  Start(PickerKind::kPeakEwma, {0, 0});
  Lease stream = table_->Acquire();
  const Slot* const streamed = &stream.slot();
  stream.DoNotMeasure();
  Lease unary = table_->Acquire();
  stream.End(RpcOutcome::kOk);
  unary.End(RpcOutcome::kOk);
  // Still one without a sample: tried before all others.
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Choice(), streamed);
}

TEST_F(MemberSelectionTest, AReusedSlotHasNoSample) {
  Start(PickerKind::kPeakEwma, {0, 0});
  Lease a = table_->Acquire();
  Lease b = table_->Acquire();
  Slot* const reused = Other(&b.slot());
  Slot* const kept = Other(&a.slot());
  b.End(RpcOutcome::kOk);
  a.End(RpcOutcome::kOk);
  table_->Publish({kept});
  EXPECT_TRUE(table_->Close(reused));
  ASSERT_TRUE(table_->Free(reused));
  ASSERT_EQ(Open(), reused);
  table_->Publish({kept, reused});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Choice(), reused);
}

TEST_F(MemberSelectionTest, LatencyIsCountedForAnsweredAndUnansweredRpcs) {
  Start(PickerKind::kRoundRobin, {0}, /*count_latency=*/true);
  for (const RpcOutcome outcome : {RpcOutcome::kOk, RpcOutcome::kError, RpcOutcome::kUnanswered}) {
    table_->Acquire().End(outcome);
  }
  EXPECT_EQ(slots_[0]->answered(), 3u);
  EXPECT_GT(slots_[0]->latency(), Duration(0));
  for (const RpcOutcome outcome : {RpcOutcome::kFailed, RpcOutcome::kCancelled}) {
    table_->Acquire().End(outcome);
  }
  table_->Acquire().End();
  Lease stream = table_->Acquire();
  stream.DoNotMeasure();
  stream.End(RpcOutcome::kOk);
  EXPECT_EQ(slots_[0]->answered(), 3u);
}

TEST_F(MemberSelectionTest, NothingIsCountedUnlessAskedFor) {
  Start(PickerKind::kRoundRobin, {0});
  table_->Acquire().End(RpcOutcome::kOk);
  EXPECT_EQ(slots_[0]->answered(), 0u);
  EXPECT_EQ(slots_[0]->latency(), Duration(0));
}

TEST_F(MemberSelectionTest, TheLeastLoadedIsSoByItsWeight) {
  Start(PickerKind::kLeastLoaded, {0, 0});
  table_->Publish({slots_[0], slots_[1], slots_[0], slots_[0], slots_[0]});
  std::vector<Lease> held;
  for (int i = 0; i < 50; ++i) held.push_back(table_->Acquire());
  EXPECT_NEAR(slots_[0]->in_flight(), 40, 1);
  EXPECT_NEAR(slots_[1]->in_flight(), 10, 1);
}

TEST_F(MemberSelectionTest, AKeyHasItsMember) {
  for (const PickerKind picker : {PickerKind::kRoundRobin, PickerKind::kPowerOfTwoChoices,
                                  PickerKind::kLeastLoaded, PickerKind::kPeakEwma}) {
    slots_.clear();
    Start(picker, {0, 0, 0, 0});
    std::set<const Slot*> chosen;
    for (int user = 0; user < 40; ++user) {
      const std::string key = absl::StrCat("user-", user);
      const Lease first = table_->AcquireFor(key);
      for (int i = 0; i < 5; ++i) EXPECT_EQ(Choice(key), &first.slot()) << key;
      chosen.insert(&first.slot());
    }
    EXPECT_EQ(chosen.size(), 4u);
  }
}

TEST_F(MemberSelectionTest, OnlyTheKeysOfAMemberThatLeavesMove) {
  Start(PickerKind::kRoundRobin, {0, 0, 0, 0});
  std::map<std::string, const Slot*> before;
  for (int user = 0; user < 40; ++user) {
    const std::string key = absl::StrCat("user-", user);
    before[key] = Choice(key);
  }
  Slot* const gone = slots_[1];
  table_->Close(gone);  // first closed, then not listed any more: the same either way
  std::map<std::string, const Slot*> closed;
  for (const auto& [key, slot] : before) closed[key] = Choice(key);
  slots_.erase(slots_.begin() + 1);
  table_->Publish(slots_);
  for (const auto& [key, slot] : before) {
    if (slot != gone) {
      EXPECT_EQ(Choice(key), slot) << key;
    }
    EXPECT_NE(Choice(key), gone) << key;
    EXPECT_EQ(Choice(key), closed[key]) << key;
  }
}

TEST_F(MemberSelectionTest, AFullMembersKeysOverflowToTheNextAndComeBack) {
  Start(PickerKind::kRoundRobin, {1, 1, 1});
  Lease first = table_->AcquireFor("key");
  const Slot* const own = &first.slot();
  first.NoteMessage();
  Lease second = table_->AcquireFor("key");
  Lease third = table_->AcquireFor("key");
  EXPECT_EQ((std::set<const Slot*>{own, &second.slot(), &third.slot()}).size(), 3u);
  EXPECT_EQ(Choice("key"), own) << "all are full: its own takes one more";
  const Slot* const next = &second.slot();
  second.End();
  EXPECT_EQ(Choice("key"), next);
  first.End();
  EXPECT_EQ(Choice("key"), own);
}

TEST_F(MemberSelectionTest, BeyondTheTriesAnyMemberWithRoomTakesIt) {
  Start(PickerKind::kRoundRobin, std::vector<uint32_t>(16, 1));
  std::set<const Slot*> chosen;
  std::vector<Lease> held;
  for (int i = 0; i < 16; ++i) {
    held.push_back(table_->AcquireFor("key"));
    chosen.insert(&held.back().slot());
  }
  EXPECT_EQ(chosen.size(), 16u);
}

TEST_F(MemberSelectionTest, WithoutAMemberAKeysRpcTakesTheFallback) {
  Start(PickerKind::kRoundRobin, {});
  EXPECT_EQ(Choice("key"), fallback_);
  Slot* slot = Open();
  table_->Publish({slot});
  table_->Close(slot);
  EXPECT_EQ(Choice("key"), fallback_);
}

TEST_F(MemberSelectionTest, AServersNameIsToldOnceForEachMember) {
  using Names = std::vector<std::pair<MemberId, std::string>>;
  Start(PickerKind::kRoundRobin, {0});
  Lease first = table_->Acquire();
  Lease second = table_->Acquire();
  EXPECT_TRUE(first.wants_name());
  first.Named("pod-1");
  EXPECT_FALSE(second.wants_name());
  second.Named("pod-2");
  EXPECT_EQ(signalled_.TakeNamed(), (Names{{MemberId{1}, "pod-1"}}));
  Lease anchor = table_->AcquireFallback();
  EXPECT_FALSE(anchor.wants_name());
  anchor.Named("pod-3");
  EXPECT_EQ(signalled_.TakeNamed(), Names());
  first.End();
  EXPECT_FALSE(first.wants_name());
  first.Named("pod-4");  // too late
  EXPECT_EQ(signalled_.TakeNamed(), Names());
}

}  // namespace
}  // namespace predial
