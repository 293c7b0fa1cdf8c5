#include "plugin/connectivity.h"

#include <grpc/support/time.h>
#include <grpcpp/completion_queue.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace predial {
namespace {

// Far beyond what any step takes; a test that waits so long has failed.
gpr_timespec Patiently() {
  return gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_seconds(30, GPR_TIMESPAN));
}
gpr_timespec Soon() {
  return gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_millis(20, GPR_TIMESPAN));
}
gpr_timespec Past() { return gpr_inf_past(GPR_CLOCK_REALTIME); }
gpr_timespec Never() { return gpr_inf_future(GPR_CLOCK_REALTIME); }

void* TagOf(intptr_t number) { return reinterpret_cast<void*>(number); }

// A queue that is shut down and emptied at the end, as it has to be.
class Queue {
 public:
  ~Queue() {
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) ADD_FAILURE() << "a tag too many: " << tag;
  }
  grpc::CompletionQueue* get() { return &queue_; }
  // The next tag's ok; the tag has to be `expected`.
  bool Next(void* expected) {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue_.Next(&tag, &ok));
    EXPECT_EQ(tag, expected);
    return ok;
  }
  // Whether there is nothing for now.
  bool Empty() {
    void* tag;
    bool ok;
    return queue_.AsyncNext(&tag, &ok, Past()) == grpc::CompletionQueue::TIMEOUT;
  }

 private:
  grpc::CompletionQueue queue_;
};

TEST(ConnectivityTest, IsWhatItWasSetTo) {
  Connectivity connectivity(GRPC_CHANNEL_CONNECTING);
  EXPECT_EQ(connectivity.Get(), GRPC_CHANNEL_CONNECTING);
  connectivity.Set(GRPC_CHANNEL_READY);
  EXPECT_EQ(connectivity.Get(), GRPC_CHANNEL_READY);
}

TEST(ConnectivityTest, AWaitEndsAtOnceIfTheStateIsAnother) {
  Connectivity connectivity(GRPC_CHANNEL_READY);
  EXPECT_TRUE(connectivity.Wait(GRPC_CHANNEL_CONNECTING, Never()));
  EXPECT_TRUE(connectivity.Wait(GRPC_CHANNEL_CONNECTING, Past()));
}

TEST(ConnectivityTest, AWaitEndsAtItsDeadline) {
  Connectivity connectivity(GRPC_CHANNEL_READY);
  EXPECT_FALSE(connectivity.Wait(GRPC_CHANNEL_READY, Soon()));
  EXPECT_FALSE(connectivity.Wait(GRPC_CHANNEL_READY, Past()));
}

// Deadlines may be given on any of gRPC's clocks.
TEST(ConnectivityTest, AWaitTakesDeadlinesOnTheMonotonicClock) {
  Connectivity connectivity(GRPC_CHANNEL_READY);
  const auto soon =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(20, GPR_TIMESPAN));
  EXPECT_FALSE(connectivity.Wait(GRPC_CHANNEL_READY, soon));
  EXPECT_FALSE(connectivity.Wait(GRPC_CHANNEL_READY, gpr_inf_past(GPR_CLOCK_MONOTONIC)));
  EXPECT_TRUE(connectivity.Wait(GRPC_CHANNEL_IDLE, gpr_inf_future(GPR_CLOCK_MONOTONIC)));
}

TEST(ConnectivityTest, AWaitEndsWithAChange) {
  for (const bool forever : {false, true}) {
    Connectivity connectivity(GRPC_CHANNEL_CONNECTING);
    std::thread setter([&] { connectivity.Set(GRPC_CHANNEL_READY); });
    EXPECT_TRUE(connectivity.Wait(GRPC_CHANNEL_CONNECTING, forever ? Never() : Patiently()));
    setter.join();
    EXPECT_EQ(connectivity.Get(), GRPC_CHANNEL_READY);
  }
}

TEST(ConnectivityTest, SettingTheSameStateEndsNoWait) {
  Connectivity connectivity(GRPC_CHANNEL_READY);
  Queue queue;
  connectivity.Notify(GRPC_CHANNEL_READY, Soon(), queue.get(), TagOf(1));
  connectivity.Set(GRPC_CHANNEL_READY);
  EXPECT_FALSE(queue.Next(TagOf(1)));
}

TEST(ConnectivityTest, NotifiesAtOnceIfTheStateIsAnother) {
  Connectivity connectivity(GRPC_CHANNEL_READY);
  Queue queue;
  for (const auto last : {GRPC_CHANNEL_IDLE, GRPC_CHANNEL_CONNECTING,
                          GRPC_CHANNEL_TRANSIENT_FAILURE, GRPC_CHANNEL_SHUTDOWN}) {
    connectivity.Notify(last, Never(), queue.get(), TagOf(last));
    EXPECT_TRUE(queue.Next(TagOf(last)));
  }
}

TEST(ConnectivityTest, NotifiesOfAChange) {
  Connectivity connectivity(GRPC_CHANNEL_CONNECTING);
  Queue queue;
  connectivity.Notify(GRPC_CHANNEL_CONNECTING, Never(), queue.get(), TagOf(1));
  EXPECT_TRUE(queue.Empty());
  connectivity.Set(GRPC_CHANNEL_READY);
  EXPECT_TRUE(queue.Next(TagOf(1)));
  connectivity.Notify(GRPC_CHANNEL_READY, Never(), queue.get(), TagOf(2));
  connectivity.Set(GRPC_CHANNEL_SHUTDOWN);
  EXPECT_TRUE(queue.Next(TagOf(2)));
}

TEST(ConnectivityTest, NotifiesOfTheDeadline) {
  Connectivity connectivity(GRPC_CHANNEL_READY);
  Queue queue;
  connectivity.Notify(GRPC_CHANNEL_READY, Soon(), queue.get(), TagOf(1));
  EXPECT_FALSE(queue.Next(TagOf(1)));
  connectivity.Notify(GRPC_CHANNEL_READY, Past(), queue.get(), TagOf(2));
  EXPECT_FALSE(queue.Next(TagOf(2)));
  // One that has ended hears no more.
  connectivity.Set(GRPC_CHANNEL_SHUTDOWN);
  EXPECT_TRUE(queue.Empty());
}

TEST(ConnectivityTest, AQueueThatIsShutDownStillBringsItsNotifications) {
  Connectivity connectivity(GRPC_CHANNEL_READY);
  grpc::CompletionQueue queue;
  connectivity.Notify(GRPC_CHANNEL_READY, Soon(), &queue, TagOf(1));
  connectivity.Notify(GRPC_CHANNEL_READY, Never(), &queue, TagOf(2));
  queue.Shutdown();
  void* tag;
  bool ok;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(tag, TagOf(1));
  EXPECT_FALSE(ok);
  connectivity.Set(GRPC_CHANNEL_CONNECTING);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(tag, TagOf(2));
  EXPECT_TRUE(ok);
  EXPECT_FALSE(queue.Next(&tag, &ok));
}

TEST(ConnectivityTest, NotifiesOfItsEnd) {
  Queue queue;
  {
    Connectivity connectivity(GRPC_CHANNEL_READY);
    connectivity.Notify(GRPC_CHANNEL_READY, Never(), queue.get(), TagOf(1));
  }
  EXPECT_TRUE(queue.Next(TagOf(1))) << "its end is a change";
}

TEST(ConnectivityTest, NotifiesManyWatchersOnce) {
  constexpr int kWatchers = 100;
  Connectivity connectivity(GRPC_CHANNEL_CONNECTING);
  Queue queues[3];
  for (intptr_t i = 0; i < kWatchers; ++i) {
    connectivity.Notify(GRPC_CHANNEL_CONNECTING, Never(), queues[i % 3].get(), TagOf(i));
  }
  connectivity.Set(GRPC_CHANNEL_READY);
  std::set<void*> tags;
  for (int i = 0; i < kWatchers; ++i) {
    void* tag;
    bool ok;
    ASSERT_TRUE(queues[i % 3].get()->Next(&tag, &ok));
    EXPECT_TRUE(ok);
    tags.insert(tag);
  }
  EXPECT_EQ(tags.size(), kWatchers);
}

// Waits, notifications and changes at once: no notification is lost, doubled or too early.
TEST(ConnectivityTest, HoldsUnderManyThreads) {
  constexpr int kNotifications = 200;  // of each thread
  constexpr int kThreads = 3;
  Connectivity connectivity(GRPC_CHANNEL_CONNECTING);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      Queue queue;
      for (intptr_t i = 0; i < kNotifications; ++i) {
        const grpc_connectivity_state last = connectivity.Get();
        connectivity.Notify(last, i % 4 == 0 ? Past() : Never(), queue.get(), TagOf(i));
        const bool ok = queue.Next(TagOf(i));
        EXPECT_TRUE(ok || i % 4 == 0);
      }
    });
    threads.emplace_back([&] {
      for (int i = 0; i < kNotifications; ++i) {
        EXPECT_TRUE(connectivity.Wait(connectivity.Get(), Never()));
      }
    });
  }
  std::thread setter([&] {
    for (bool ready = true; !stop; ready = !ready) {
      connectivity.Set(ready ? GRPC_CHANNEL_READY : GRPC_CHANNEL_CONNECTING);
      std::this_thread::yield();
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  setter.join();
}

}  // namespace
}  // namespace predial
