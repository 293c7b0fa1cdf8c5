#include "plugin/io/connect_attempt.h"

#include <sys/epoll.h>

#include <memory>
#include <optional>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugin/io/dial_socket.h"
#include "plugin/io/dialer.h"
#include "plugin/io/epoll_loop.h"
#include "plugin/io/io_test_util.h"
#include "plugin/testing/manual_loop.h"

namespace predial {
namespace {

using ::testing::HasSubstr;

// A loop with no room for another descriptor.
class FullLoop : public ManualLoop {
 public:
  absl::StatusOr<WatchId> Watch(int, uint32_t, FdCallback) override {
    return absl::ResourceExhaustedError("no room");
  }
};

TEST(ConnectAttemptTest, NoRoomInTheLoop) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  const Address address = LocalAddress(listener.get());
  FullLoop loop;
  std::optional<absl::StatusOr<UniqueFd>> result;
  ConnectAttempt attempt(loop, *OpenDialSocket({}, address), address,
                         [&](auto r) { result = std::move(r); });
  EXPECT_FALSE(result.has_value());
  loop.RunFor(Duration(0));
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(DialResultOf(result->status()), DialResult::kLocalLimit);
  EXPECT_THAT(result->status().message(), HasSubstr(address.ToString() + ": epoll: no room"));
}

TEST(ConnectAttemptTest, AResetBeforeWeLook) {
  const UniqueFd listener = ListenOn("127.0.0.1:0");
  const Address address = LocalAddress(listener.get());
  UniqueFd socket = *OpenDialSocket({}, address);
  const int fd = socket.get();
  ManualLoop loop;
  std::optional<absl::StatusOr<UniqueFd>> result;
  ConnectAttempt attempt(loop, std::move(socket), address, [&](auto r) { result = std::move(r); });
  {
    UniqueFd accepted(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const linger reset = {1, 0};
    setsockopt(accepted.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  ASSERT_TRUE(WaitFor(fd, POLLIN));
  loop.ReportEvents(fd, EPOLLOUT | EPOLLERR | EPOLLHUP);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(DialResultOf(result->status()), DialResult::kError);
  EXPECT_THAT(result->status().message(), HasSubstr("Connection reset by peer"));
}

TEST(ConnectAttemptTest, ASocketThatConnectsToItselfIsRefused) {
  // The kernel chooses the dialed port as the local one now and then; binding to it makes it
  // certain.
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const Address loopback = *Address::Parse("127.0.0.1:0");
  ASSERT_EQ(bind(socket.get(), loopback.sockaddr_ptr(), loopback.size()), 0);
  const Address self = LocalAddress(socket.get());
  EpollLoop loop;
  Box<absl::StatusOr<UniqueFd>> box;
  std::unique_ptr<ConnectAttempt> attempt;
  RunInLoop(loop, [&] {
    attempt = std::make_unique<ConnectAttempt>(loop, std::move(socket), self,
                                               [&](auto result) { box.Put(std::move(result)); });
  });
  const auto result = box.Take();
  RunInLoop(loop, [&] { attempt.reset(); });
  EXPECT_EQ(DialResultOf(result.status()), DialResult::kRefused);
  EXPECT_THAT(result.status().message(),
              HasSubstr(self.ToString() + ": the socket connected to itself"));
  // Nothing of it stays: the port can be listened on at once.
  const UniqueFd listener = ListenOn(self.ToString());
  EXPECT_TRUE(listener.valid()) << strerror(errno);
}

}  // namespace
}  // namespace predial
