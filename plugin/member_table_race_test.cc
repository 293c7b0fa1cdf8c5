// MemberTable with many threads.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "plugin/core/picker.h"
#include "plugin/core/types.h"
#include "plugin/io/unique_fd.h"
#include "plugin/lame_channel.h"
#include "plugin/member_table.h"
#include "plugin/recorded_signals.h"

namespace predial {
namespace {

std::shared_ptr<grpc::Channel> NewChannel() {
  return CreateLameChannel("test", grpc::Status(grpc::StatusCode::UNAVAILABLE, "lame"));
}

constexpr int kThreads = 8;

class MemberTableRaceTest : public testing::TestWithParam<PickerKind> {};

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

INSTANTIATE_TEST_SUITE_P(AllPickers, MemberTableRaceTest,
                         testing::Values(PickerKind::kRoundRobin, PickerKind::kPowerOfTwoChoices,
                                         PickerKind::kLeastLoaded, PickerKind::kPeakEwma),
                         NameOf);

// A race for every place there is: together the threads want no more than that.
TEST_P(MemberTableRaceTest, ThreadsTogetherKeepTheLimits) {
  constexpr int kRounds = 200;
  RecordedSignals signalled;
  MemberTable table({/*capacity=*/2, GetParam(), /*alive_check=*/false}, signalled.Receivers());
  table.SetFallback(table.Open(MemberId{0}, NewChannel(), 0));
  Slot* a = table.Open(MemberId{1}, NewChannel(), /*stream_limit=*/kThreads / 2);
  Slot* b = table.Open(MemberId{2}, NewChannel(), /*stream_limit=*/kThreads / 2);
  table.Publish({a, b});
  std::atomic<int> arrived{0};  // over all rounds
  std::atomic<int> leased{0};
  std::atomic<int> round_allowed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        arrived.fetch_add(1);
        while (arrived.load() < kThreads * (round + 1)) std::this_thread::yield();
        const Lease lease = table.Acquire();
        leased.fetch_add(1);
        while (round_allowed.load() <= round) std::this_thread::yield();
      }
    });
  }
  for (int round = 0; round < kRounds; ++round) {
    while (leased.load() < kThreads * (round + 1)) std::this_thread::yield();
    EXPECT_EQ(a->in_flight(), kThreads / 2);
    EXPECT_EQ(b->in_flight(), kThreads / 2);
    round_allowed.store(round + 1);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(a->rpcs() + b->rpcs(), uint64_t{kThreads} * kRounds);
}

// RPC threads lease as fast as they can, while the loop's thread opens, publishes, closes and frees
// slots.
class Hammer {
 public:
  static constexpr int kMembers = 1500;  // over the run
  static constexpr int kOpen = 4;        // at a time
  static constexpr int kCapacity = 12;

  explicit Hammer(PickerKind picker) : table_(OptionsFor(picker), signalled_.Receivers()) {
    fallback_ = Open(0);
    table_.SetFallback(fallback_);
  }

  void Run() {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) threads.emplace_back([this, t] { Lend(t); });
    for (int id = 1; id <= kMembers; ++id) {
      Replace(id);
      table_.SetAttention(id % 3);
      HandleSignals();
      // Some members live longer than others.
      if (id % 64 != 0) continue;
      const int64_t target = given_.load() + 16;
      while (given_.load() < target) std::this_thread::yield();
    }
    stop_ = true;
    for (std::thread& thread : threads) thread.join();
    // From here on all is quiet, but for what was signalled before.
    HandleSignals();
    EXPECT_TRUE(closed_.empty()) << closed_.size() << " closed slots were never free";
    EXPECT_EQ(given_.load(), returned_.load());
    EXPECT_EQ(wrong_.load(), 0);
    for (const auto& [id, slot] : open_) {
      EXPECT_EQ(slot->in_flight(), 0);
      EXPECT_EQ(slot->channel().use_count(), 1);
    }
    EXPECT_EQ(fallback_->in_flight(), 0);
    for (const auto& [id, channel] : channels_) {
      EXPECT_EQ(channel.expired(), id != 0 && open_.count(MemberId{id}) == 0) << id;
    }
    EXPECT_GT(given_.load(), kMembers);
  }

 private:
  static MemberTable::Options OptionsFor(PickerKind picker) {
    MemberTable::Options options;
    options.capacity = kCapacity;
    options.picker = picker;
    options.count_latency = true;
    return options;
  }
  Slot* Open(uint64_t id) {
    auto channel = NewChannel();
    channels_.emplace(id, channel);
    of_member_[id].store(channel.get());
    std::shared_ptr<const UniqueFd> socket;
    if (id % 2 == 1) {
      int ends[2];
      EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
      socket = std::make_shared<const UniqueFd>(ends[0]);
      UniqueFd peer(ends[1]);
      if (id % 4 == 1) peers_.push_back(std::move(peer));  // hangs up, if not kept
      if (peers_.size() > 2 * kOpen) peers_.pop_front();
    }
    return table_.Open(MemberId{id}, std::move(channel), id % 5, {std::move(socket)});
  }

  // An RPC thread.
  void Lend(int thread) {
    std::vector<Lease> held;
    for (uint64_t i = thread; !stop_.load(std::memory_order_relaxed); ++i) {
      Lease lease = i % 3 == 0 ? table_.AcquireFor(std::to_string(i % 7)) : table_.Acquire();
      if (!lease) lease = table_.AcquireFallback();  // all are full
      given_.fetch_add(1, std::memory_order_relaxed);
      // What CreateCall does: share the channel.
      const std::shared_ptr<grpc::Channel> channel = lease.slot().channel();
      const uint64_t id = static_cast<uint64_t>(lease.slot().id());
      if (channel == nullptr || channel.get() != of_member_[id].load()) wrong_.fetch_add(1);
      if (lease.wants_name()) lease.Named("server");
      if (i % 4 == 0 && held.size() < 8) {
        held.push_back(std::move(lease));
        continue;
      }
      if (i % 256 == 255) {
        lease.End(RpcOutcome::kConnectionGone);
      } else if (i % 2 == 0) {
        lease.End(RpcOutcome::kOk);
      } else {
        lease.End();
      }
      returned_.fetch_add(1, std::memory_order_relaxed);
      if (held.size() == 8) {
        returned_.fetch_add(held.size(), std::memory_order_relaxed);
        held.clear();
      }
    }
    returned_.fetch_add(held.size(), std::memory_order_relaxed);
  }

  // --- The loop's thread.

  void Replace(uint64_t id) {
    Slot* opened = Open(id);
    open_.emplace(MemberId{id}, opened);
    known_.insert(opened);
    if (open_.size() > kOpen) {
      auto oldest = open_.begin();
      Slot* slot = oldest->second;
      open_.erase(oldest);
      // Before or after it is published no longer: both happen.
      if (id % 2 == 0) Publish();
      Close(slot);
    }
    Publish();
  }

  void Publish() {
    std::vector<Slot*> slots;
    for (const auto& [id, slot] : open_) slots.push_back(slot);
    // A stale list may name slots that are closed, free, and then opened for another.
    if (++published_ % 2 == 0) {
      for (Slot* slot : known_) slots.push_back(slot);
    }
    if (slots.size() > kCapacity) slots.resize(kCapacity);
    table_.Publish(slots);
  }

  void Close(Slot* slot) {
    closed_.insert(slot);
    if (table_.Close(slot)) OnIdle(slot);
  }

  void OnIdle(Slot* slot) {
    if (closed_.count(slot) > 0 && table_.Free(slot)) closed_.erase(slot);
  }

  void HandleSignals() {
    for (MemberId member : signalled_.TakeGoingAway()) {
      auto found = open_.find(member);
      if (found == open_.end()) continue;
      Slot* slot = found->second;
      open_.erase(found);
      Publish();
      Close(slot);
    }
    for (Slot* slot : signalled_.TakeIdle()) OnIdle(slot);
    // Some are tried without having been told to: what is leased is refused. The others have to be
    // told.
    for (Slot* slot : std::set<Slot*>(closed_)) {
      if (static_cast<uint64_t>(slot->id()) % 2 == 0) OnIdle(slot);
    }
  }

  RecordedSignals signalled_;
  MemberTable table_;
  Slot* fallback_;
  std::atomic<grpc::Channel*> of_member_[kMembers + 1] = {};
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> given_{0};
  std::atomic<int64_t> returned_{0};
  std::atomic<int64_t> wrong_{0};

  // Of the loop's thread.
  std::map<MemberId, Slot*> open_;  // but for the fallback
  std::set<Slot*> closed_;
  std::set<Slot*> known_;  // all but the fallback
  int published_ = 0;
  std::map<uint64_t, std::weak_ptr<grpc::Channel>> channels_;
  std::deque<UniqueFd> peers_;
};

TEST_P(MemberTableRaceTest, EveryLeaseIsOfALivingMemberAndEveryClosedSlotBecomesFree) {
  std::make_unique<Hammer>(GetParam())->Run();
}

}  // namespace
}  // namespace predial
