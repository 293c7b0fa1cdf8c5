#include "benchmarks/compare/fair_link.h"

#include <chrono>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace predial {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Passed = FairLink::Passed;

constexpr int64_t kChunk = FairLink::kChunkBytes;
constexpr milliseconds kDelay{5};
// Of a chunk at 11.584 Mbit/s.
constexpr microseconds kChunkTime{1000};

LinkOptions Slow() {
  LinkOptions options;
  options.delay = absl::FromChrono(kDelay);
  options.rate = kChunk * 8 * 1000;
  return options;
}

Time At(Duration since_start) { return Time(seconds(1000)) + since_start; }

FairLink::Flow FlowOf(uint64_t owner) {
  FairLink::Flow flow;
  flow.owner = owner;
  return flow;
}

std::vector<uint64_t> Owners(const std::vector<Passed>& passed) {
  std::vector<uint64_t> owners;
  for (const Passed& chunk : passed) owners.push_back(chunk.owner);
  return owners;
}

TEST(FairLinkTest, WithoutARateOnlyTheDelayCounts) {
  LinkOptions options;
  options.delay = absl::FromChrono(kDelay);
  FairLink link(options, 1);
  FairLink::Flow flow = FlowOf(7);
  EXPECT_EQ(link.next(), std::nullopt);
  link.Enqueue(flow, 1'000'000, At(milliseconds(3)));
  EXPECT_EQ(link.next(), std::nullopt);
  const std::vector<Passed> passed = link.TakePassed();
  ASSERT_EQ(passed.size(), 1u);
  EXPECT_EQ(passed[0].owner, 7u);
  EXPECT_EQ(passed[0].bytes, 1'000'000);
  EXPECT_EQ(passed[0].due, At(milliseconds(3)) + kDelay);
  EXPECT_EQ(flow.waiting, 0);
  EXPECT_TRUE(link.TakePassed().empty());
}

TEST(FairLinkTest, EachChunkHoldsTheBottleneck) {
  FairLink link(Slow(), 1);
  FairLink::Flow flow = FlowOf(1);
  link.Enqueue(flow, 2 * kChunk + kChunk / 2, At({}));
  EXPECT_EQ(link.next(), At(kChunkTime));
  EXPECT_EQ(flow.waiting, kChunk + kChunk / 2);
  link.Advance(At(seconds(1)));  // late, which changes nothing
  EXPECT_EQ(link.next(), std::nullopt);
  const std::vector<Passed> passed = link.TakePassed();
  ASSERT_EQ(passed.size(), 3u);
  EXPECT_EQ(passed[0].due, At(kChunkTime + kDelay));
  EXPECT_EQ(passed[1].due, At(2 * kChunkTime + kDelay));
  EXPECT_EQ(passed[2].due, At(2 * kChunkTime + kChunkTime / 2 + kDelay));
  EXPECT_EQ(passed[2].bytes, kChunk / 2);
}

TEST(FairLinkTest, TimeInWhichNothingWaitedIsNotMadeUpFor) {
  FairLink link(Slow(), 1);
  FairLink::Flow flow = FlowOf(1);
  link.Enqueue(flow, kChunk, At({}));
  link.Enqueue(flow, kChunk, At(seconds(1)));
  const std::vector<Passed> passed = link.TakePassed();
  ASSERT_EQ(passed.size(), 2u);
  EXPECT_EQ(passed[1].due, At(seconds(1) + kChunkTime + kDelay));
}

TEST(FairLinkTest, NothingPassesBeforeItCame) {
  FairLink link(Slow(), 1);
  FairLink::Flow early = FlowOf(1);
  FairLink::Flow late = FlowOf(2);
  link.Enqueue(early, kChunk, At({}));
  // Nobody called Advance() since; the bottleneck has been free for 9 ms.
  link.Enqueue(late, kChunk, At(10 * kChunkTime));
  const std::vector<Passed> passed = link.TakePassed();
  ASSERT_EQ(passed.size(), 2u);
  EXPECT_EQ(passed[1].due, At(11 * kChunkTime + kDelay));
}

TEST(FairLinkTest, BusyFlowsTakeTurns) {
  FairLink link(Slow(), 1);
  FairLink::Flow flows[] = {FlowOf(1), FlowOf(2), FlowOf(3)};
  link.Enqueue(flows[0], 3 * kChunk, At({}));
  link.Enqueue(flows[1], 2 * kChunk, At({}));
  link.Enqueue(flows[2], 1 * kChunk, At({}));
  link.Advance(At(seconds(1)));
  // The first chunk was taken before there were others.
  EXPECT_EQ(Owners(link.TakePassed()), (std::vector<uint64_t>{1, 1, 2, 3, 1, 2}));
}

// 4 MiB of each of three connections do not keep 128 bytes of a fourth for more than their turns.
TEST(FairLinkTest, AFewBytesWaitForOneChunkOfEachOther) {
  FairLink link(Slow(), 1);
  FairLink::Flow big[] = {FlowOf(1), FlowOf(2), FlowOf(3)};
  for (FairLink::Flow& flow : big) link.Enqueue(flow, 4 << 20, At({}));
  link.Advance(At(100 * kChunkTime));
  link.TakePassed();
  FairLink::Flow small = FlowOf(4);
  link.Enqueue(small, 128, At(100 * kChunkTime + kChunkTime / 2));
  link.Advance(At(200 * kChunkTime));
  int others = 0;
  for (const Passed& chunk : link.TakePassed()) {
    if (chunk.owner != 4) {
      ++others;
      continue;
    }
    EXPECT_EQ(others, 3);
    EXPECT_EQ(chunk.bytes, 128);
    EXPECT_LT(chunk.due, At(105 * kChunkTime + kDelay));
    return;
  }
  FAIL() << "the small message has not passed";
}

TEST(FairLinkTest, RemovedAFlowTakesNoMoreTurns) {
  FairLink link(Slow(), 1);
  FairLink::Flow gone = FlowOf(1);
  FairLink::Flow other = FlowOf(2);
  link.Enqueue(gone, 10 * kChunk, At({}));
  link.Enqueue(other, 2 * kChunk, At({}));
  link.Remove(gone);
  EXPECT_EQ(gone.waiting, 0);
  link.Advance(At(seconds(1)));
  EXPECT_EQ(Owners(link.TakePassed()), (std::vector<uint64_t>{1, 2, 2}));
}

LinkOptions Stalling(absl::Duration every, absl::Duration length) {
  LinkOptions options;
  options.delay = absl::FromChrono(kDelay);
  options.stall_every = every;
  options.stall_length = length;
  return options;
}

// One chunk of each of 20 flows every millisecond.
std::vector<Passed> RunStalling(FairLink& link, int milliseconds_run) {
  std::vector<FairLink::Flow> flows;
  for (uint64_t owner = 0; owner < 20; ++owner) flows.push_back(FlowOf(owner));
  for (int i = 0; i < milliseconds_run; ++i) {
    for (FairLink::Flow& flow : flows) link.Enqueue(flow, 100, At(milliseconds(i)));
  }
  return link.TakePassed();
}

TEST(FairLinkTest, StallsComeAsOftenAsAskedForAndHoldOneFlow) {
  FairLink link(Stalling(absl::Milliseconds(50), absl::Milliseconds(40)), 1);
  constexpr int kMilliseconds = 20'000;
  const std::vector<Passed> passed = RunStalling(link, kMilliseconds);
  // 400 expected; five standard deviations are 100.
  EXPECT_GT(link.stalls(), 300);
  EXPECT_LT(link.stalls(), 500);
  std::map<uint64_t, Time> last;
  int64_t held = 0;
  for (size_t i = 0; i < passed.size(); ++i) {
    const Time undisturbed = At(milliseconds(i / 20)) + kDelay;
    EXPECT_GE(passed[i].due, undisturbed);
    EXPECT_LE(passed[i].due, undisturbed + milliseconds(40));
    EXPECT_GE(passed[i].due, last[passed[i].owner]) << "out of order";
    last[passed[i].owner] = passed[i].due;
    held += passed[i].due > undisturbed;
  }
  // A stall holds what its flow sends in 40 ms, and nothing of the other 19 (unless the run ended).
  EXPECT_LE(held, link.stalls() * 40);
  EXPECT_GT(held, (link.stalls() - 20) * 40);
}

TEST(FairLinkTest, TheSeedDecidesWhenItStalls) {
  const LinkOptions options = Stalling(absl::Milliseconds(100), absl::Milliseconds(10));
  std::vector<std::vector<Duration>> dues;
  for (const uint64_t seed : {1, 1, 2}) {
    FairLink link(options, seed);
    dues.emplace_back();
    for (const Passed& chunk : RunStalling(link, 2000)) dues.back().push_back(chunk.due - At({}));
    EXPECT_GT(link.stalls(), 0);
  }
  EXPECT_EQ(dues[0], dues[1]);
  EXPECT_NE(dues[0], dues[2]);
}

TEST(FairLinkTest, AStalledFlowIsNotHitAgainMeanwhile) {
  FairLink link(Stalling(absl::Milliseconds(1), absl::Milliseconds(100)), 1);
  FairLink::Flow flow = FlowOf(1);
  for (int i = 0; i < 1000; ++i) link.Enqueue(flow, 100, At(milliseconds(i)));
  EXPECT_GE(link.stalls(), 7);
  EXPECT_LE(link.stalls(), 10);
}

TEST(FairLinkTest, APauseBringsNoStall) {
  FairLink link(Stalling(absl::Seconds(10), absl::Milliseconds(100)), 1);
  FairLink::Flow flow = FlowOf(1);
  // A thousand times the mean, of which 10 ms count each time: 2 s of the stalls' clock.
  for (int i = 0; i < 200; ++i) link.Enqueue(flow, 100, At(seconds(50 * i)));
  EXPECT_LE(link.stalls(), 2);
}

}  // namespace
}  // namespace predial
