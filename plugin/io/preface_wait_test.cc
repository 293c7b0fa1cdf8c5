#include "plugin/io/preface_wait.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plugin/core/http2_settings.h"
#include "plugin/core/types.h"
#include "plugin/io/dialer.h"
#include "plugin/io/epoll_loop.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"
#include "plugin/testing/manual_loop.h"

namespace predial {
namespace {

using std::chrono::milliseconds;

constexpr Duration kWait = milliseconds(200);
// SETTINGS with MAX_CONCURRENT_STREAMS (3) = 100.
constexpr absl::string_view kSettings("\0\0\6\4\0\0\0\0\0\0\3\0\0\0\144", 15);

// Has no room for watches.
class FullLoop : public ManualLoop {
 public:
  absl::StatusOr<WatchId> Watch(int, uint32_t, FdCallback) override {
    return absl::ResourceExhaustedError("no room");
  }
};

void Send(const UniqueFd& fd, absl::string_view bytes) {
  ASSERT_EQ(send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), bytes.size());
}

class PrefaceWaitTest : public testing::Test {
 protected:
  PrefaceWaitTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    client_.Reset(ends[0]);
    server_.Reset(ends[1]);
  }
  ~PrefaceWaitTest() override {
    EXPECT_EQ(loop_.watches(), 0u);
    EXPECT_FALSE(loop_.has_timers());
  }

  void Start(EventLoop& loop, Duration wait = kWait) {
    wait_ = std::make_unique<PrefaceWait>(loop, client_.get(), wait,
                                          [this](absl::StatusOr<ServerPreface> preface) {
                                            EXPECT_FALSE(result_.has_value()) << "a second result";
                                            wait_.reset();  // as a caller may
                                            result_ = std::move(preface);
                                          });
    EXPECT_FALSE(result_.has_value()) << "called from within the constructor";
  }
  void Start() { Start(loop_); }
  // The server sends, and the loop hears of it.
  void Arrive(absl::string_view bytes) {
    Send(server_, bytes);
    loop_.ReportEvents(client_.get(), EPOLLIN);
  }
  bool Is(ServerPreface::Kind kind) const {
    return result_.has_value() && result_->ok() && (*result_)->kind == kind;
  }
  DialResult Failure() const { return DialResultOf(result_->status()); }

  ManualLoop loop_;
  UniqueFd client_, server_;
  std::optional<absl::StatusOr<ServerPreface>> result_;
  std::unique_ptr<PrefaceWait> wait_;
};

TEST_F(PrefaceWaitTest, SeesWhatIsThereWithoutWaitingAndLeavesIt) {
  Send(server_, kSettings);
  Start();
  loop_.RunFor(Duration::zero());
  ASSERT_TRUE(Is(ServerPreface::Kind::kHttp2));
  EXPECT_EQ((*result_)->max_concurrent_streams, 100u);
  char bytes[64];
  EXPECT_EQ(recv(client_.get(), bytes, sizeof(bytes), 0), 15);
}

TEST_F(PrefaceWaitTest, SeesWhatArrives) {
  Start();
  loop_.RunFor(milliseconds(100));
  Arrive(kSettings);
  EXPECT_TRUE(Is(ServerPreface::Kind::kHttp2));
}

TEST_F(PrefaceWaitTest, WaitsForTheRestOfAFrame) {
  Start();
  loop_.RunFor(milliseconds(1));
  for (size_t i = 0; i < kSettings.size(); ++i) {
    EXPECT_FALSE(result_.has_value());
    Arrive(kSettings.substr(i, 1));
  }
  EXPECT_TRUE(Is(ServerPreface::Kind::kHttp2));
}

TEST_F(PrefaceWaitTest, RecognizesAnotherProtocolAtOnce) {
  Start();
  loop_.RunFor(milliseconds(1));
  Arrive("SSH-2.0-OpenSSH_9.2p1\r\n");
  ASSERT_TRUE(Is(ServerPreface::Kind::kOther));
  EXPECT_NE((*result_)->description.find("SSH-2.0"), std::string::npos);
}

TEST_F(PrefaceWaitTest, EndsAfterTheWaitIfNothingComes) {
  Start();
  loop_.RunFor(kWait - milliseconds(1));
  EXPECT_FALSE(result_.has_value());
  loop_.RunFor(milliseconds(1));
  EXPECT_TRUE(Is(ServerPreface::Kind::kIncomplete));
}

TEST_F(PrefaceWaitTest, EndsAfterTheWaitIfTheRestDoesNotCome) {
  Start();
  loop_.RunFor(milliseconds(1));
  Arrive(kSettings.substr(0, 12));
  loop_.RunFor(kWait);
  EXPECT_TRUE(Is(ServerPreface::Kind::kIncomplete));
}

TEST_F(PrefaceWaitTest, AWaitOfZeroLooksOnce) {
  Start(loop_, Duration::zero());
  loop_.RunFor(Duration::zero());
  EXPECT_TRUE(Is(ServerPreface::Kind::kIncomplete));
}

TEST_F(PrefaceWaitTest, AWaitOfZeroSeesWhatIsThere) {
  Send(server_, kSettings);
  Start(loop_, Duration::zero());
  loop_.RunFor(Duration::zero());
  EXPECT_TRUE(Is(ServerPreface::Kind::kHttp2));
}

TEST_F(PrefaceWaitTest, FailsWhenTheServerHangsUp) {
  Start();
  loop_.RunFor(milliseconds(1));
  server_.Reset();
  loop_.ReportEvents(client_.get(), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(Failure(), DialResult::kError);
  EXPECT_EQ(result_->status().message(), "the server closed the connection at once");
}

TEST_F(PrefaceWaitTest, FailsWhenTheServerHasHungUpAlready) {
  server_.Reset();
  Start();
  loop_.RunFor(Duration::zero());
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(Failure(), DialResult::kError);
}

TEST_F(PrefaceWaitTest, WithoutRoomForAWatchTheLimitIsOurs) {
  FullLoop full;
  Start(full);
  full.RunFor(milliseconds(1));
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(Failure(), DialResult::kLocalLimit);
  EXPECT_FALSE(full.has_timers());
}

TEST_F(PrefaceWaitTest, DestroyedAtAnyTimeItSaysNothing) {
  Start();
  wait_.reset();
  EXPECT_FALSE(loop_.has_timers());
  Start();
  loop_.RunFor(milliseconds(1));
  EXPECT_EQ(loop_.watches(), 1u);
  wait_.reset();
  EXPECT_EQ(loop_.watches(), 0u);
  Send(server_, kSettings);
  loop_.RunFor(2 * kWait);
  EXPECT_FALSE(result_.has_value());
}

// With a kernel that watches: bytes that stay unread wake nobody, new ones do.
TEST_F(PrefaceWaitTest, EveryPieceOfAFrameIsHeardOf) {
  EpollLoop loop;
  Box<absl::StatusOr<ServerPreface>> result;
  std::unique_ptr<PrefaceWait> wait;
  RunInLoop(loop, [&] {
    wait = std::make_unique<PrefaceWait>(
        loop, client_.get(), kTestPatience,
        [&](absl::StatusOr<ServerPreface> preface) { result.Put(std::move(preface)); });
  });
  for (size_t i = 0; i < kSettings.size(); ++i) {
    Send(server_, kSettings.substr(i, 1));
    RunInLoop(loop, [] {});
  }
  const auto preface = result.Take();
  ASSERT_TRUE(preface.ok()) << preface.status();
  EXPECT_EQ(preface->kind, ServerPreface::Kind::kHttp2);
  RunInLoop(loop, [&] { wait.reset(); });
}

}  // namespace
}  // namespace predial
