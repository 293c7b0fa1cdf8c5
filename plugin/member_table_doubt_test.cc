// MemberTable, while it doubts an endpoint: one of its connections was closed without a word. A
// server that dies closes its connections one after the other.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <time.h>

#include <memory>

#include "plugin/core/types.h"
#include "plugin/io/unique_fd.h"
#include "plugin/lame_channel.h"
#include "plugin/member_table.h"
#include "plugin/recorded_signals.h"

namespace predial {
namespace {

class MemberTableDoubtTest : public testing::Test {
 protected:
  MemberTableDoubtTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    socket_ = std::make_shared<const UniqueFd>(ends[0]);
    peer_.Reset(ends[1]);
    table_.SetFallback(OpenTo(EndpointId{}));
  }
  Slot* OpenTo(EndpointId endpoint, Time dial_began = {}) {
    return table_.Open(
        MemberId{++last_id_},
        CreateLameChannel("test", grpc::Status(grpc::StatusCode::UNAVAILABLE, "lame")),
        /*stream_limit=*/0, {socket_, endpoint, dial_began});
  }
  static Time CoarseNow() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return Time(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
  }
  void Break(Slot* slot) {
    table_.Publish({slot});
    table_.Acquire().NoteGone(/*without_a_word=*/true);
  }

  std::shared_ptr<const UniqueFd> socket_;
  UniqueFd peer_;
  RecordedSignals signalled_;
  MemberTable table_{{/*capacity=*/4}, signalled_.Receivers()};
  uint64_t last_id_ = 0;
  Slot* const first_ = OpenTo(EndpointId{1});
};

TEST_F(MemberTableDoubtTest, OthersToTheEndpointAreLeftAloneForAWhile) {
  Slot* const second = OpenTo(EndpointId{1});
  Break(first_);
  table_.Publish({second});
  EXPECT_EQ(table_.Acquire().source(), Lease::Source::kAnchor);
  const Time doubted = Clock::now();
  while (table_.Acquire().source() == Lease::Source::kAnchor) {
    ASSERT_LT(Clock::now() - doubted, std::chrono::seconds(10));
  }
  EXPECT_EQ(&table_.Acquire().slot(), second);
}

TEST_F(MemberTableDoubtTest, OtherEndpointsAreNotDoubted) {
  Slot* const second = OpenTo(EndpointId{2});
  Break(first_);
  table_.Publish({second});
  EXPECT_EQ(&table_.Acquire().slot(), second);
}

TEST_F(MemberTableDoubtTest, ASpareFromBeforeIsDoubtedHoweverLateItIsOpened) {
  const Time before = Clock::now();
  Break(first_);
  Slot* const spare = OpenTo(EndpointId{1}, before);
  table_.Publish({spare});
  EXPECT_EQ(table_.Acquire().source(), Lease::Source::kAnchor);
}

TEST_F(MemberTableDoubtTest, OneThatWasDialedLaterIsNot) {
  Break(first_);
  Slot* const fresh = OpenTo(EndpointId{1}, Clock::now());
  table_.Publish({fresh});
  EXPECT_EQ(&table_.Acquire().slot(), fresh);
}

// The answer may have been on its way when the server died.
TEST_F(MemberTableDoubtTest, AnAnswerDoesNotEndIt) {
  Slot* const second = OpenTo(EndpointId{1});
  table_.Publish({second});
  Lease before = table_.Acquire();
  Break(first_);
  table_.Publish({second});
  const Time doubted = Clock::now();
  while (CoarseNow() <= doubted) {
  }
  before.End(RpcOutcome::kOk);
  EXPECT_EQ(table_.Acquire().source(), Lease::Source::kAnchor);
}

}  // namespace
}  // namespace predial
