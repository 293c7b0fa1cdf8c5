#include "plugin/checkout_queue.h"

#include <gtest/gtest.h>

#include <atomic>
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

using End = CheckoutQueue::End;

constexpr std::chrono::seconds kPatience{30};

bool Never() { return false; }

// A strict table with members of one place each, and its queue.
class CheckoutQueueTest : public testing::Test {
 protected:
  static constexpr int kWaitersMax = 64;

  CheckoutQueueTest() {
    queue_.Serve(&table_);
    table_.SetFallback(Open(1));
  }

  MemberTable::Signals Signals() {
    MemberTable::Signals signals = recorded_.Receivers();
    signals.room = [this] { queue_.Dispatch(); };
    return signals;
  }
  Slot* Open(uint32_t limit) {
    return table_.Open(
        MemberId{++last_id_},
        CreateLameChannel("test", grpc::Status(grpc::StatusCode::UNAVAILABLE, "lame")), limit);
  }
  void Publish(int members) {
    members_.clear();
    for (int i = 0; i < members; ++i) members_.push_back(Open(1));
    table_.Publish(members_);
  }
  End Wait(Lease* lease) { return queue_.Wait(Clock::now() + kPatience, Never, lease); }
  // Waits until so many others wait.
  void AwaitWaiters(int count) {
    const Time deadline = Clock::now() + kPatience;
    while (table_.waiting() != count && Clock::now() < deadline) std::this_thread::yield();
    ASSERT_EQ(table_.waiting(), count);
  }

  RecordedSignals recorded_;
  CheckoutQueue queue_{kWaitersMax};
  MemberTable table_{[] {
                       MemberTable::Options options;
                       options.capacity = 8;
                       options.alive_check = false;
                       options.strict = true;
                       return options;
                     }(),
                     Signals()};
  uint64_t last_id_ = 0;
  std::vector<Slot*> members_;
};

TEST_F(CheckoutQueueTest, TakesAFreePlaceAtOnce) {
  Publish(1);
  Lease lease;
  // Its time is over before it begins.
  EXPECT_EQ(queue_.Wait(Clock::now() - std::chrono::seconds(1), Never, &lease), End::kLeased);
  EXPECT_EQ(&lease.slot(), members_[0]);
  EXPECT_EQ(table_.waiting(), 0);
}

TEST_F(CheckoutQueueTest, GetsThePlaceThatComesFree) {
  Publish(1);
  Lease held = table_.Acquire();
  ASSERT_FALSE(table_.Acquire());
  std::thread waiter([this] {
    Lease lease;
    EXPECT_EQ(Wait(&lease), End::kLeased);
    EXPECT_EQ(&lease.slot(), members_[0]);
    EXPECT_EQ(lease.source(), Lease::Source::kReused);
  });
  AwaitWaiters(1);
  held.End();
  waiter.join();
  EXPECT_EQ(table_.waiting(), 0);
  EXPECT_EQ(members_[0]->rpcs(), 2u);
  EXPECT_EQ(queue_.waits(), 1);
  EXPECT_GT(queue_.wait_time().count(), 0);
}

TEST_F(CheckoutQueueTest, FirstComeFirstServed) {
  constexpr int kWaiters = 8;
  Publish(1);
  Lease held = table_.Acquire();
  std::atomic<int> turn{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.emplace_back([this, &turn, i] {
      Lease lease;
      EXPECT_EQ(Wait(&lease), End::kLeased);
      EXPECT_EQ(turn.fetch_add(1), i);
    });
    AwaitWaiters(i + 1);
  }
  held.End();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(turn.load(), kWaiters);
}

TEST_F(CheckoutQueueTest, WaitsNoLongerThanItMay) {
  Publish(1);
  const Lease held = table_.Acquire();
  Lease lease;
  const Time until = Clock::now() + std::chrono::milliseconds(30);
  EXPECT_EQ(queue_.Wait(until, Never, &lease), End::kTimedOut);
  EXPECT_GE(Clock::now(), until);
  EXPECT_FALSE(lease);
  EXPECT_EQ(table_.waiting(), 0);
  EXPECT_EQ(members_[0]->rpcs(), 1u);
}

TEST_F(CheckoutQueueTest, GivesUpWhenAskedTo) {
  Publish(1);
  const Lease held = table_.Acquire();
  int asked = 0;
  Lease lease;
  const auto give_up = [&asked] { return ++asked == 2; };
  EXPECT_EQ(queue_.Wait(Clock::now() + kPatience, give_up, &lease), End::kGivenUp);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(table_.waiting(), 0);
}

TEST_F(CheckoutQueueTest, HasALimit) {
  Publish(1);
  Lease held = table_.Acquire();
  std::vector<std::thread> waiters;
  for (int i = 0; i < kWaitersMax; ++i) {
    waiters.emplace_back([this] {
      Lease lease;
      EXPECT_EQ(Wait(&lease), End::kLeased);
    });
  }
  AwaitWaiters(kWaitersMax);
  Lease lease;
  EXPECT_EQ(Wait(&lease), End::kQueueFull);
  held.End();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(queue_.waits(), kWaitersMax);
}

TEST_F(CheckoutQueueTest, MembersThatArePublishedAreHandedOut) {
  const Lease held = table_.Acquire();  // the fallback's only place
  ASSERT_EQ(held.source(), Lease::Source::kAnchor);
  std::vector<std::thread> waiters;
  std::atomic<int> leased{0};
  for (int i = 0; i < 3; ++i) {
    waiters.emplace_back([this, &leased] {
      Lease lease;
      EXPECT_EQ(Wait(&lease), End::kLeased);
      EXPECT_NE(lease.source(), Lease::Source::kAnchor);
      leased.fetch_add(1);
      while (leased.load() < 3) std::this_thread::yield();  // together they need all three
    });
  }
  AwaitWaiters(3);
  Publish(3);
  for (std::thread& waiter : waiters) waiter.join();
  for (const Slot* member : members_) EXPECT_EQ(member->rpcs(), 1u);
}

// As in a shutdown: what is published is closed, the fallback fails all RPCs.
TEST_F(CheckoutQueueTest, AFallbackWithoutLimitEndsAllWaits) {
  Publish(1);
  const Lease held = table_.Acquire();
  std::vector<std::thread> waiters;
  for (int i = 0; i < 5; ++i) {
    waiters.emplace_back([this] {
      Lease lease;
      EXPECT_EQ(Wait(&lease), End::kLeased);
      EXPECT_EQ(lease.source(), Lease::Source::kAnchor);
    });
  }
  AwaitWaiters(5);
  table_.SetFallback(Open(0));
  table_.Close(members_[0]);
  table_.Publish({});
  for (std::thread& waiter : waiters) waiter.join();
}

// Threads that wait, that give up and that do not wait, over members that come and go: nobody is
// forgotten, and no place has two.
TEST_F(CheckoutQueueTest, ManyThreadsNeverForgetOneNorShareAPlace) {
  constexpr int kThreads = 12;
  constexpr int kRounds = 300;
  Publish(3);
  std::atomic<int> running{kThreads};
  std::atomic<int> crowded{0};
  std::atomic<int> leased{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        Lease lease;
        if (t % 4 == 3) {  // gives up at once
          const End end = queue_.Wait(Clock::now(), Never, &lease);
          EXPECT_TRUE(end == End::kLeased || end == End::kTimedOut);
        } else if (t % 4 == 2) {
          lease = table_.Acquire();
        } else {
          EXPECT_EQ(Wait(&lease), End::kLeased);
        }
        if (!lease) continue;
        leased.fetch_add(1);
        if (lease.slot().in_flight() != 1) crowded.fetch_add(1);
        if (i % 3 == 0) std::this_thread::yield();
      }
      running.fetch_sub(1);
    });
  }
  // The loop's thread replaces members one by one.
  while (running.load() > 0) {
    Slot* const old = members_.front();
    members_.erase(members_.begin());
    members_.push_back(Open(1));
    table_.Publish(members_);
    if (table_.Close(old)) table_.Free(old);
    for (Slot* idle : recorded_.TakeIdle()) table_.Free(idle);
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table_.waiting(), 0);
  EXPECT_EQ(crowded.load(), 0);
  EXPECT_GE(leased.load(), kThreads / 2 * kRounds);
  for (const Slot* member : members_) EXPECT_EQ(member->in_flight(), 0);
}

}  // namespace
}  // namespace predial
