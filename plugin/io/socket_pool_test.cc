#include "plugin/io/socket_pool.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <optional>
#include <vector>

#include "plugin/io/epoll_loop.h"
#include "plugin/io/io_test_util.h"
#include "plugin/testing/fake_dialer.h"
#include "plugin/testing/manual_loop.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kInstant = Duration::zero();

// A checkout and what it came to.
struct Taken {
  std::unique_ptr<SocketPool::Checkout> checkout;
  std::optional<absl::StatusOr<DialedSocket>> result;

  bool ok() const { return result.has_value() && result->ok(); }
  int fd() const { return (*result)->fd.get(); }
};

bool IsConnectedTo(int fd, int server_end) {
  char sent = 'x', received = 0;
  return send(fd, &sent, 1, MSG_NOSIGNAL) == 1 &&
         recv(server_end, &received, 1, MSG_DONTWAIT) == 1 && received == sent;
}

class SocketPoolTest : public testing::Test {
 protected:
  SocketPoolTest() {
    SocketPoolOptions options;
    options.addresses = {*Address::Parse("10.0.0.1:1")};
    options.dialer = dialer_;
    options.spare_lifetime = seconds(20);
    options.on_dialed = [this](const absl::Status& status, Duration took) {
      dialed_.push_back(DialResultOf(status));
      took_.push_back(took);
    };
    pool_ = std::make_unique<SocketPool>(loop_, std::move(options));
  }
  ~SocketPoolTest() override {
    pool_.reset();
    EXPECT_EQ(loop_.watches(), 0u);
    EXPECT_FALSE(loop_.has_timers());
    EXPECT_EQ(dialer_->pending(), 0);
  }

  std::unique_ptr<Taken> Take() {
    auto taken = std::make_unique<Taken>();
    taken->checkout = pool_->Take([taken = taken.get()](absl::StatusOr<DialedSocket> socket) {
      EXPECT_FALSE(taken->result.has_value());
      taken->checkout.reset();  // as a caller may
      taken->result = std::move(socket);
    });
    EXPECT_FALSE(taken->result.has_value()) << "called from within Take()";
    return taken;
  }

  // The server closes the connection of a dial, and the loop hears of it.
  void HangUp(int dial) {
    dialer_->server_end(dial).Reset();
    loop_.ReportEvents(dialer_->dialed_fd(dial), EPOLLRDHUP | EPOLLHUP);
  }

  ManualLoop loop_;
  const std::shared_ptr<FakeDialer> dialer_ = std::make_shared<FakeDialer>();
  std::vector<DialResult> dialed_;
  std::vector<Duration> took_;
  std::unique_ptr<SocketPool> pool_;
};

TEST_F(SocketPoolTest, DialsNothingUntilItIsAsked) {
  loop_.RunFor(seconds(60));
  EXPECT_EQ(dialer_->dials(), 0);
}

TEST_F(SocketPoolTest, KeepsTheSparesThatAreWanted) {
  pool_->SetSpares(3);
  loop_.RunFor(kInstant);
  EXPECT_EQ(pool_->spares(), 3);
  EXPECT_EQ(dialer_->dials(), 3);
  loop_.RunFor(seconds(10));
  EXPECT_EQ(dialer_->dials(), 3);
}

TEST_F(SocketPoolTest, DialsSparesOneAtATime) {
  dialer_->Otherwise(DialResult::kOk, seconds(1));
  pool_->SetSpares(3);
  EXPECT_EQ(dialer_->pending(), 1);
  for (int spares = 1; spares <= 3; ++spares) {
    loop_.RunFor(seconds(1));
    EXPECT_EQ(pool_->spares(), spares);
    EXPECT_EQ(dialer_->pending(), spares < 3 ? 1 : 0);
  }
}

TEST_F(SocketPoolTest, GivesASpareWithoutDialingAndReplacesIt) {
  pool_->SetSpares(1);
  loop_.RunFor(kInstant);
  dialer_->Otherwise(DialResult::kOk, seconds(3));
  const auto taken = Take();
  loop_.RunFor(kInstant);
  ASSERT_TRUE(taken->ok());
  EXPECT_TRUE(IsConnectedTo(taken->fd(), dialer_->server_end(0).get()));
  EXPECT_EQ((*taken->result)->peer.ToString(), "10.0.0.1:1");
  EXPECT_EQ(pool_->spares(), 0);
  loop_.RunFor(seconds(3));
  EXPECT_EQ(pool_->spares(), 1);
}

TEST_F(SocketPoolTest, GivesTheYoungestSpareFirst) {
  dialer_->Otherwise(DialResult::kOk, seconds(1));
  pool_->SetSpares(3);
  loop_.RunFor(seconds(3));
  dialer_->Otherwise(DialResult::kOk, FakeDialer::kNever);
  for (int youngest : {2, 1, 0}) {
    const auto taken = Take();
    loop_.RunFor(kInstant);
    ASSERT_TRUE(taken->ok());
    EXPECT_TRUE(IsConnectedTo(taken->fd(), dialer_->server_end(youngest).get()));
  }
}

TEST_F(SocketPoolTest, DialsWhenThereIsNoSpare) {
  dialer_->Then(DialResult::kOk, seconds(2));
  const auto taken = Take();
  loop_.RunFor(milliseconds(1999));
  EXPECT_FALSE(taken->result.has_value());
  loop_.RunFor(milliseconds(1));
  ASSERT_TRUE(taken->ok());
  EXPECT_EQ(dialed_, std::vector<DialResult>{DialResult::kOk});
  EXPECT_EQ(took_, std::vector<Duration>{seconds(2)});
}

TEST_F(SocketPoolTest, AFailedCheckoutHasTheDialersStatus) {
  dialer_->Then(DialResult::kRefused);
  const auto taken = Take();
  loop_.RunFor(kInstant);
  ASSERT_TRUE(taken->result.has_value());
  EXPECT_EQ(DialResultOf(taken->result->status()), DialResult::kRefused);
  EXPECT_EQ(taken->result->status().message(), "10.0.0.1:1: scripted: refused");
  EXPECT_EQ(dialed_, std::vector<DialResult>{DialResult::kRefused});
}

TEST_F(SocketPoolTest, ASpareThatFailsNeverFailsACheckout) {
  dialer_->Then(DialResult::kRefused, seconds(2));
  dialer_->Then(DialResult::kOk, seconds(3));
  pool_->SetSpares(1);
  const auto taken = Take();
  loop_.RunFor(seconds(2));
  EXPECT_FALSE(taken->result.has_value());
  loop_.RunFor(seconds(1));
  EXPECT_TRUE(taken->ok());
}

TEST_F(SocketPoolTest, ACheckoutThatIsDestroyedEndsItsDial) {
  dialer_->Then(DialResult::kOk, seconds(2));
  auto taken = Take();
  taken->checkout.reset();
  EXPECT_EQ(dialer_->cancelled(), 1);
  loop_.RunFor(seconds(5));
  EXPECT_FALSE(taken->result.has_value());
}

TEST_F(SocketPoolTest, ACheckoutThatIsDestroyedClosesItsSpare) {
  pool_->SetSpares(1);
  loop_.RunFor(kInstant);
  auto taken = Take();
  taken->checkout.reset();
  loop_.RunFor(kInstant);
  EXPECT_FALSE(taken->result.has_value());
  char byte;
  EXPECT_EQ(recv(dialer_->server_end(0).get(), &byte, 1, MSG_DONTWAIT), 0);
  EXPECT_EQ(pool_->spares(), 1);
}

TEST_F(SocketPoolTest, ReplacesASpareAfterItsLifetime) {
  pool_->SetSpares(1);
  loop_.RunFor(seconds(20) - milliseconds(1));
  EXPECT_EQ(dialer_->dials(), 1);
  loop_.RunFor(milliseconds(1));
  EXPECT_EQ(dialer_->dials(), 2);
  EXPECT_EQ(pool_->spares(), 1);
  char byte;
  EXPECT_EQ(recv(dialer_->server_end(0).get(), &byte, 1, MSG_DONTWAIT), 0);
  loop_.RunFor(seconds(20));
  EXPECT_EQ(dialer_->dials(), 3);
}

TEST_F(SocketPoolTest, ADeadSpareIsNeverGiven) {
  pool_->SetSpares(2);
  loop_.RunFor(kInstant);
  dialer_->server_end(1).Reset();  // and the loop has not heard of it yet
  const auto taken = Take();
  loop_.RunFor(kInstant);
  ASSERT_TRUE(taken->ok());
  EXPECT_TRUE(IsConnectedTo(taken->fd(), dialer_->server_end(0).get()));
}

TEST_F(SocketPoolTest, ADeadSpareWithUnreadBytesIsNeverGiven) {
  pool_->SetSpares(2);
  loop_.RunFor(kInstant);
  ASSERT_EQ(send(dialer_->server_end(1).get(), "settings", 8, MSG_NOSIGNAL), 8);
  dialer_->server_end(1).Reset();
  const auto taken = Take();
  loop_.RunFor(kInstant);
  ASSERT_TRUE(taken->ok());
  EXPECT_TRUE(IsConnectedTo(taken->fd(), dialer_->server_end(0).get()));
}

TEST_F(SocketPoolTest, AReadableSpareIsAlive) {
  pool_->SetSpares(1);
  loop_.RunFor(kInstant);
  ASSERT_EQ(send(dialer_->server_end(0).get(), "settings", 8, MSG_NOSIGNAL), 8);
  const auto taken = Take();
  loop_.RunFor(kInstant);
  ASSERT_TRUE(taken->ok());
  char bytes[8];
  EXPECT_EQ(recv(taken->fd(), bytes, 8, MSG_DONTWAIT), 8);
}

TEST_F(SocketPoolTest, WhenAllSparesAreDeadItDialsAndFillsUpAgain) {
  pool_->SetSpares(2);
  loop_.RunFor(kInstant);
  dialer_->server_end(0).Reset();
  dialer_->server_end(1).Reset();
  const auto taken = Take();
  loop_.RunFor(seconds(5));
  ASSERT_TRUE(taken->ok());
  EXPECT_EQ(pool_->spares(), 2);
}

TEST_F(SocketPoolTest, ASpareOfSomeAgeThatHangsUpIsReplacedAtOnce) {
  pool_->SetSpares(1);
  loop_.RunFor(seconds(2));
  HangUp(0);
  loop_.RunFor(kInstant);
  EXPECT_EQ(pool_->spares(), 1);
  EXPECT_EQ(dialer_->dials(), 2);
}

// A balancer without backends accepts every connection and closes it.
TEST_F(SocketPoolTest, SparesThatHangUpAtOnceAreDialedWithBackoff) {
  pool_->SetSpares(1);
  loop_.RunFor(kInstant);
  HangUp(0);
  loop_.RunFor(milliseconds(999));
  EXPECT_EQ(dialer_->dials(), 1);
  loop_.RunFor(milliseconds(1));
  EXPECT_EQ(dialer_->dials(), 2);
  HangUp(1);
  loop_.RunFor(milliseconds(1599));
  EXPECT_EQ(dialer_->dials(), 2);
  loop_.RunFor(milliseconds(1));
  EXPECT_EQ(dialer_->dials(), 3);
  // This one stays.
  loop_.RunFor(seconds(2));
  HangUp(2);
  loop_.RunFor(kInstant);
  EXPECT_EQ(dialer_->dials(), 4);
}

TEST_F(SocketPoolTest, FewerSparesClosesTheOldest) {
  dialer_->Otherwise(DialResult::kOk, seconds(1));
  pool_->SetSpares(3);
  loop_.RunFor(seconds(3));
  pool_->SetSpares(1);
  EXPECT_EQ(pool_->spares(), 1);
  char byte;
  EXPECT_EQ(recv(dialer_->server_end(0).get(), &byte, 1, MSG_DONTWAIT), 0);
  EXPECT_EQ(recv(dialer_->server_end(1).get(), &byte, 1, MSG_DONTWAIT), 0);
  EXPECT_EQ(recv(dialer_->server_end(2).get(), &byte, 1, MSG_DONTWAIT), -1);
}

TEST_F(SocketPoolTest, NoSparesCancelsTheDialForOne) {
  dialer_->Then(DialResult::kOk, FakeDialer::kNever);
  pool_->SetSpares(1);
  pool_->SetSpares(0);
  EXPECT_EQ(dialer_->cancelled(), 1);
  EXPECT_EQ(pool_->spares(), 0);
}

TEST_F(SocketPoolTest, ASpareThatIsNoLongerWantedWhenItIsDialedIsClosed) {
  dialer_->Otherwise(DialResult::kOk, seconds(1));
  pool_->SetSpares(2);
  loop_.RunFor(seconds(1));
  pool_->SetSpares(1);
  loop_.RunFor(seconds(1));
  EXPECT_EQ(pool_->spares(), 1);
  char byte;
  EXPECT_EQ(recv(dialer_->server_end(1).get(), &byte, 1, MSG_DONTWAIT), 0);
}

TEST_F(SocketPoolTest, SparesThatCannotBeDialedAreTriedAgainWithBackoff) {
  dialer_->Otherwise(DialResult::kRefused);
  pool_->SetSpares(1);
  loop_.RunFor(kInstant);
  EXPECT_EQ(dialer_->dials(), 1);
  // 1 s, then 1.6 s, then 2.56 s.
  loop_.RunFor(milliseconds(999));
  EXPECT_EQ(dialer_->dials(), 1);
  loop_.RunFor(milliseconds(1));
  EXPECT_EQ(dialer_->dials(), 2);
  loop_.RunFor(milliseconds(1599));
  EXPECT_EQ(dialer_->dials(), 2);
  loop_.RunFor(milliseconds(1));
  EXPECT_EQ(dialer_->dials(), 3);
  dialer_->Otherwise(DialResult::kOk);
  loop_.RunFor(milliseconds(2560));
  EXPECT_EQ(pool_->spares(), 1);
}

TEST_F(SocketPoolTest, ASuccessEndsTheBackoff) {
  for (int i = 0; i < 5; ++i) dialer_->Then(DialResult::kRefused);
  pool_->SetSpares(1);
  loop_.RunFor(seconds(60));
  ASSERT_EQ(pool_->spares(), 1);
  dialer_->Then(DialResult::kRefused);
  const auto taken = Take();
  loop_.RunFor(kInstant);
  EXPECT_EQ(pool_->spares(), 0);
  loop_.RunFor(seconds(1));
  EXPECT_EQ(pool_->spares(), 1);
}

TEST_F(SocketPoolTest, DestroyingItLeavesNothingBehind) {
  const int fds = OpenFds();
  dialer_->Otherwise(DialResult::kOk, seconds(1));
  pool_->SetSpares(5);
  loop_.RunFor(seconds(2));  // two are there, one is being dialed
  EXPECT_EQ(loop_.watches(), 2u);
  Take()->checkout.reset();
  pool_.reset();
  EXPECT_EQ(dialer_->pending(), 0);
  for (int i = 0; i < dialer_->dials(); ++i) dialer_->server_end(i).Reset();
  EXPECT_EQ(OpenFds(), fds);
}

TEST_F(SocketPoolTest, DestroyingItDuringABackoffLeavesNoTimer) {
  dialer_->Otherwise(DialResult::kRefused);
  pool_->SetSpares(1);
  loop_.RunFor(kInstant);
  EXPECT_TRUE(loop_.has_timers());
  pool_.reset();
  EXPECT_FALSE(loop_.has_timers());
}

TEST_F(SocketPoolTest, SparesThatAreWantedAgainDoNotWaitForAnOldBackoff) {
  dialer_->Then(DialResult::kRefused);
  pool_->SetSpares(1);
  loop_.RunFor(kInstant);
  pool_->SetSpares(0);
  EXPECT_FALSE(loop_.has_timers());
  pool_->SetSpares(1);
  loop_.RunFor(kInstant);
  EXPECT_EQ(pool_->spares(), 1);
}

// With a kernel that watches.
TEST(SocketPoolEpollTest, HearsOfASpareThatHangsUp) {
  EpollLoop loop;
  const auto dialer = std::make_shared<FakeDialer>();
  Box<bool> dialed, dialed_again;
  SocketPoolOptions options;
  options.addresses = {*Address::Parse("10.0.0.1:1")};
  options.dialer = dialer;
  options.backoff.initial = milliseconds(1);
  options.on_dialed = [&](const absl::Status&, Duration) {
    (dialer->dials() == 1 ? dialed : dialed_again).Put(true);
  };
  std::unique_ptr<SocketPool> pool;
  RunInLoop(loop, [&] {
    pool = std::make_unique<SocketPool>(loop, std::move(options));
    pool->SetSpares(1);
  });
  dialed.Take();
  RunInLoop(loop, [&] {
    EXPECT_EQ(pool->spares(), 1);
    // The server speaks first, then goes.
    EXPECT_EQ(send(dialer->server_end(0).get(), "settings", 8, MSG_NOSIGNAL), 8);
    dialer->server_end(0).Reset();
  });
  dialed_again.Take();
  RunInLoop(loop, [&] { pool.reset(); });
}

}  // namespace
}  // namespace predial
