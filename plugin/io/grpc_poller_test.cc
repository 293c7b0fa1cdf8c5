#include "plugin/io/grpc_poller.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "grpc/support/time.h"
#include "grpcpp/alarm.h"
#include "plugin/io/io_test_util.h"

namespace predial {
namespace {

// An operation on the queue: an alarm.
class Ring : public GrpcPoller::Tag {
 public:
  explicit Ring(GrpcPoller& poller) : poller_(poller) {}

  void Start(gpr_timespec when) {
    work_.emplace(poller_);
    alarm_.Set(poller_.queue(), when, Pass());
  }
  void StartNow() { Start(gpr_now(GPR_CLOCK_MONOTONIC)); }
  void StartNever() { Start(gpr_inf_future(GPR_CLOCK_MONOTONIC)); }
  void Cancel() { alarm_.Cancel(); }

  void OnCompleted(bool ok) override {
    in_poller_ = poller_.InPoller();
    work_.reset();
    completed_.Put(ok);  // this may go now
  }
  bool Take() { return completed_.Take(); }
  bool in_poller() const { return in_poller_; }

 private:
  GrpcPoller& poller_;
  grpc::Alarm alarm_;
  std::optional<GrpcPoller::Work> work_;
  std::atomic<bool> in_poller_{false};
  Box<bool> completed_;
};

// So that another thread may get on, which it need not.
void YieldALot() {
  for (int turn = 0; turn < 100; ++turn) std::this_thread::yield();
}

TEST(GrpcPollerTest, StartsAndEndsWithoutWork) { GrpcPoller poller; }

TEST(GrpcPollerTest, CompletesOperationsOnItsThread) {
  GrpcPoller poller;
  EXPECT_FALSE(poller.InPoller());
  Ring ring(poller);
  ring.StartNow();
  EXPECT_TRUE(ring.Take());
  EXPECT_TRUE(ring.in_poller());
}

TEST(GrpcPollerTest, CompletesWhatIsCancelled) {
  GrpcPoller poller;
  Ring ring(poller);
  ring.StartNever();
  ring.Cancel();
  EXPECT_FALSE(ring.Take());
}

TEST(GrpcPollerTest, ItsDestructorWaitsForTheLastOperation) {
  auto poller = std::make_unique<GrpcPoller>();
  Ring ring(*poller);
  ring.StartNever();
  std::atomic<bool> cancelled{false};
  Box<bool> ending;
  std::thread end([&] {
    ending.Put(true);
    poller.reset();
    EXPECT_TRUE(cancelled);
  });
  ending.Take();
  YieldALot();
  cancelled = true;
  ring.Cancel();
  end.join();
  EXPECT_FALSE(ring.Take());
}

// Its next look is an hour away, and so is the next rest.
class GrpcPollerAtRest : public GrpcPoller {
 public:
  GrpcPollerAtRest()
      : GrpcPoller({/*after=*/std::chrono::hours(1), /*interval=*/std::chrono::hours(1)},
                   Clock::now() - std::chrono::hours(2)) {}
};

TEST(GrpcPollerTest, AnExpectedAnswerInterruptsTheRest) {
  for (int i = 0; i < 20; ++i) {
    GrpcPollerAtRest poller;
    Ring ring(poller);
    YieldALot();
    const GrpcPoller::Expected expected(poller);
    ring.StartNow();
    EXPECT_TRUE(ring.Take());
  }
}

TEST(GrpcPollerTest, ActivityEndsTheRest) {
  for (int i = 0; i < 20; ++i) {
    GrpcPollerAtRest poller;
    Ring ring(poller);
    ring.StartNow();
    YieldALot();
    poller.NoteActivity();
    EXPECT_TRUE(ring.Take());
  }
}

TEST(GrpcPollerTest, WorkOfManyThreads) {
  GrpcPoller poller;
  std::thread threads[4];
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      for (int i = 0; i < 20; ++i) {
        Ring ring(poller);
        ring.StartNow();
        EXPECT_TRUE(ring.Take());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace predial
