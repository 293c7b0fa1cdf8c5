#include "plugin/io/epoll_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <thread>
#include <vector>

namespace predial {
namespace {

using std::chrono::milliseconds;

// Runs `action` on the loop and waits for it.
void OnLoop(EpollLoop& loop, std::function<void()> action) {
  std::promise<void> done;
  loop.Post([&] {
    action();
    done.set_value();
  });
  done.get_future().wait();
}

TEST(EpollLoopTest, RunsPostedCallbacksInOrderOnItsThread) {
  EpollLoop loop;
  EXPECT_FALSE(loop.InLoop());
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) {
    loop.Post([&order, i] { order.push_back(i); });
  }
  bool in_loop = false;
  OnLoop(loop, [&] { in_loop = loop.InLoop(); });
  EXPECT_TRUE(in_loop);
  ASSERT_EQ(order.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(EpollLoopTest, PostsFromManyThreadsAllRun) {
  EpollLoop loop;
  constexpr int kThreads = 8;
  constexpr int kPosts = 1000;
  int ran = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kPosts; ++i) loop.Post([&ran] { ++ran; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  int seen = 0;
  OnLoop(loop, [&] { seen = ran; });
  EXPECT_EQ(seen, kThreads * kPosts);
}

TEST(EpollLoopTest, RunsTimersInTheOrderOfTheirTimes) {
  EpollLoop loop;
  std::vector<int> order;
  std::promise<void> done;
  loop.Post([&] {
    const Time now = loop.Now();
    loop.RunAt(now + milliseconds(20), [&] {
      order.push_back(2);
      done.set_value();
    });
    loop.RunAt(now + milliseconds(5), [&] { order.push_back(1); });
    loop.RunAt(now, [&] { order.push_back(0); });
    const auto cancelled = loop.RunAt(now + milliseconds(1), [&] { order.push_back(9); });
    loop.Cancel(cancelled);
    loop.Cancel(cancelled);
    loop.Cancel(EventLoop::TimerId::kNone);
  });
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST(EpollLoopTest, ReportsReadabilityAndHangUp) {
  EpollLoop loop;
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  UniqueFd watched(pair[0]);
  UniqueFd peer(pair[1]);
  std::promise<uint32_t> readable;
  std::promise<uint32_t> hung_up;
  EventLoop::WatchId id = EventLoop::WatchId::kNone;
  OnLoop(loop, [&] {
    id = *loop.Watch(watched.get(), EPOLLIN, [&](uint32_t events) {
      loop.Unwatch(id);
      readable.set_value(events);
      id = *loop.Watch(watched.get(), EPOLLRDHUP, [&](uint32_t more) {
        loop.Unwatch(id);
        loop.Unwatch(id);  // a second time does nothing
        hung_up.set_value(more);
      });
    });
  });
  ASSERT_EQ(write(peer.get(), "x", 1), 1);
  EXPECT_TRUE(readable.get_future().get() & EPOLLIN);
  peer.Reset();
  EXPECT_TRUE(hung_up.get_future().get() & EPOLLRDHUP);
  OnLoop(loop, [] {});
}

TEST(EpollLoopTest, DestroysWhatItDidNotRun) {
  auto token = std::make_shared<int>(0);
  {
    EpollLoop loop;
    OnLoop(loop, [&] { loop.RunAt(loop.Now() + std::chrono::hours(1), [token] {}); });
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(EpollLoopTest, LeavesNoDescriptorBehind) {
  const int before = fcntl(0, F_DUPFD_CLOEXEC, 0);
  close(before);
  for (int i = 0; i < 20; ++i) EpollLoop loop;
  const int after = fcntl(0, F_DUPFD_CLOEXEC, 0);
  close(after);
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace predial
