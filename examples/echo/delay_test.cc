#include "examples/echo/delay.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

// Takes the callback's argument from whatever thread it comes on.
class Result {
 public:
  Delay::Callback callback() {
    return [this](bool elapsed) {
      std::lock_guard<std::mutex> lock(mu_);
      EXPECT_FALSE(elapsed_.has_value()) << "called twice";
      elapsed_ = elapsed;
      changed_.notify_all();
    };
  }
  // nullopt if nothing comes within 30 s.
  std::optional<bool> Wait() {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait_for(lock, std::chrono::seconds(30), [this] { return elapsed_.has_value(); });
    return elapsed_;
  }
  std::optional<bool> Now() {
    std::lock_guard<std::mutex> lock(mu_);
    return elapsed_;
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  std::optional<bool> elapsed_;
};

TEST(DelayTest, Elapses) {
  Result result;
  Delay delay;
  delay.Start(absl::Milliseconds(1), result.callback());
  EXPECT_EQ(result.Wait(), true);
}

TEST(DelayTest, NothingToWaitForCallsBackAtOnce) {
  Result result;
  Delay delay;
  delay.Start(absl::ZeroDuration(), result.callback());
  EXPECT_EQ(result.Now(), true);
}

TEST(DelayTest, CancelEndsIt) {
  Result result;
  Delay delay;
  delay.Start(absl::Hours(1), result.callback());
  EXPECT_EQ(result.Now(), std::nullopt);
  delay.Cancel();
  EXPECT_EQ(result.Wait(), false);
}

TEST(DelayTest, CancelForbidsLaterOnes) {
  Result result;
  Delay delay;
  delay.Cancel();
  delay.Start(absl::Hours(1), result.callback());
  EXPECT_EQ(result.Now(), false);
}

// As a stream does it: each delay starts from the callback of the one before, until one is cut
// short.
TEST(DelayTest, CancelEndsAChainWhereverItIs) {
  for (int round = 0; round < 300; ++round) {
    Result end;
    Delay delay;
    int left = 1000;
    Delay::Callback next = [&](bool elapsed) {
      if (elapsed && --left > 0) {
        delay.Start(left % 2 == 0 ? absl::Microseconds(50) : absl::Hours(1), next);
      } else {
        end.callback()(elapsed);
      }
    };
    std::thread canceller([&] { delay.Cancel(); });
    delay.Start(absl::Microseconds(50), next);
    EXPECT_EQ(end.Wait(), false) << "round " << round;
    canceller.join();
  }
}

TEST(DelayTest, MayBeDestroyedByItsCallback) {
  for (int round = 0; round < 300; ++round) {
    Result end;
    Delay* delay = new Delay;
    delay->Start(absl::Microseconds(round), [&end, delay](bool elapsed) {
      delete delay;
      end.callback()(elapsed);
    });
    EXPECT_EQ(end.Wait(), true) << "round " << round;
  }
}

}  // namespace
}  // namespace predial
