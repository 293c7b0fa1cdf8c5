// What the core makes of latencies and of the servers' names: weights, and members dialed anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plugin/core/action.h"
#include "plugin/core/outlier.h"
#include "plugin/core/pool_core.h"
#include "plugin/core/spread.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// One endpoint, 1, and three ready members: 2, 3 and 4. Answers are text.
class PoolCoreSelectionTest : public testing::Test {
 protected:
  using Lines = std::vector<std::string>;

  PoolCoreSelectionTest() {
    policy_.sizing.min = 3;
    policy_.sizing.max = 4;
    policy_.health.enabled = false;
    policy_.spares = 0;
    policy_.slow_start = {};
    policy_.outlier.factor = 3;
    policy_.spread = true;
  }

  void Start() {
    core().OnResolved(now_, {"a"});
    for (uint64_t id : {2, 3, 4}) Ready(id);
  }
  PoolCore& core() {
    if (core_ == nullptr) core_ = std::make_unique<PoolCore>(policy_, /*seed=*/1, now_);
    return *core_;
  }
  Lines Text(const Actions& actions) {
    Lines lines;
    for (const Action& action : actions) lines.push_back(ToString(action));
    return lines;
  }
  Lines Ready(uint64_t id) {
    answered_[id];
    return Text(core().OnReady(now_, MemberId{id}, 0));
  }
  Lines Named(uint64_t id, const std::string& backend) {
    now_ += milliseconds(1);
    return Text(core().OnNamed(now_, MemberId{id}, backend));
  }
  // After `wait` with 100 RPCs on each member: `slow` takes 100 ms for each, the others 2 ms.
  Lines Tick(Duration wait, uint64_t slow = 0) {
    now_ += wait;
    LoadSample load;
    for (auto& [id, counts] : answered_) {
      counts.first += 100;
      counts.second += 100 * milliseconds(id == slow ? 100 : 2);
      load.members.push_back({MemberId{id}, 0, counts.first, true, counts.first, counts.second});
    }
    return Text(core().OnTick(now_, load));
  }
  std::string LastDecision() {
    const Decision& last = core().log().decisions().back();
    return std::string(last.what) + ": " + last.reason;
  }
  int64_t Spreads() { return core().rotations()[static_cast<int>(RotateReason::kSpread)]; }

  PoolPolicy policy_;
  Time now_ = Time() + std::chrono::hours(1);
  std::unique_ptr<PoolCore> core_;
  std::map<uint64_t, std::pair<uint64_t, Duration>> answered_;
};

constexpr Duration kWindow = OutlierJudge::kWindow;

TEST_F(PoolCoreSelectionTest, ASlowMemberIsNamedLessOften) {
  Start();
  EXPECT_THAT(Tick(kWindow, /*slow=*/3), IsEmpty());
  EXPECT_THAT(Tick(kWindow, 3), ElementsAre("Publish{2, 3, 4, 2, 3, 4, 2, 3, 4, 2, 4}"));
  EXPECT_EQ(LastDecision(), "weigh: 3/4 of a full share: its RPCs take 100 ms, its peers' 2 ms");
  Tick(kWindow, 3);
  EXPECT_THAT(Tick(kWindow, 3), ElementsAre("Publish{2, 3, 4, 2, 4, 2, 4, 2, 4}"));
  EXPECT_THAT(Tick(kWindow, 3), IsEmpty());  // that is the floor
}

TEST_F(PoolCoreSelectionTest, OnceItIsFastItGetsItsShareAgain) {
  Start();
  for (int i = 0; i < 5; ++i) Tick(kWindow, 3);
  Tick(kWindow);
  Tick(kWindow);
  EXPECT_THAT(Tick(kWindow), ElementsAre("Publish{2, 3, 4}"));
}

TEST_F(PoolCoreSelectionTest, OffNobodyIsJudged) {
  policy_.outlier.factor = 0;
  Start();
  for (int i = 0; i < 5; ++i) EXPECT_THAT(Tick(kWindow, 3), IsEmpty());
}

TEST_F(PoolCoreSelectionTest, ADuplicateIsReplacedTheNewOneFirst) {
  Start();
  Tick(milliseconds(1));
  EXPECT_THAT(Named(2, "x"), IsEmpty());
  EXPECT_THAT(Named(3, "x"), IsEmpty());
  EXPECT_THAT(Named(4, "x"), ElementsAre("Connect{5, 1}"));
  EXPECT_EQ(Spreads(), 1);
  EXPECT_EQ(LastDecision(), "rotate: spread");
  EXPECT_THAT(Ready(5), ElementsAre("Drain{2}", "Publish{3, 4, 5}"));
  EXPECT_THAT(Named(5, "y"), IsEmpty());  // two and one: as even as can be
  EXPECT_THAT(Tick(std::chrono::minutes(2)), IsEmpty());
}

TEST_F(PoolCoreSelectionTest, WithoutRoomBesideTheOldOneItStays) {
  policy_.sizing.max = 3;
  Start();
  Tick(milliseconds(1));
  for (uint64_t id : {2, 3, 4}) EXPECT_THAT(Named(id, "x"), IsEmpty());
}

TEST_F(PoolCoreSelectionTest, WithoutRpcsItStays) {
  Start();
  for (uint64_t id : {2, 3, 4}) EXPECT_THAT(Named(id, "x"), IsEmpty());
  EXPECT_EQ(Spreads(), 0);
}

TEST_F(PoolCoreSelectionTest, OffNothingIsReplaced) {
  policy_.spread = false;
  Start();
  Tick(milliseconds(1));
  for (uint64_t id : {2, 3, 4}) EXPECT_THAT(Named(id, "x"), IsEmpty());
}

// A balancer that goes by the client's address: three tries, then a pause.
TEST_F(PoolCoreSelectionTest, GivesUpWhenItBringsNothing) {
  Start();
  for (uint64_t id : {2, 3, 4}) Named(id, "x");
  uint64_t last = 4;
  Tick(milliseconds(1));
  for (const Time end = now_ + Spread::kPauseMin; now_ < end; Tick(milliseconds(100))) {
    if (core().members().count(MemberId{last + 1}) == 0) continue;
    Ready(++last);
    Named(last, "x");
  }
  EXPECT_EQ(Spreads(), Spread::kTriesMax);
}

TEST_F(PoolCoreSelectionTest, OneAtATimeForAllEndpoints) {
  policy_.sizing.min = 4;
  policy_.sizing.max = 8;
  core().OnResolved(now_, {"a", "b"});  // 1 and 2; members 3 and 5, 4 and 6
  for (uint64_t id : {3, 4, 5, 6}) Ready(id);
  Tick(milliseconds(1));
  Lines ordered;
  for (uint64_t id : {3, 4, 5, 6}) {
    for (const std::string& line : Named(id, "x")) ordered.push_back(line);
  }
  EXPECT_THAT(ordered, ElementsAre("Connect{7, 1}"));
  Ready(7);
  EXPECT_THAT(Tick(milliseconds(1)), IsEmpty()) << "the first has not answered yet";
  EXPECT_THAT(Named(7, "y"), ElementsAre("Connect{8, 2}"));
}

TEST_F(PoolCoreSelectionTest, ANameThatComesTooLateIsIgnored) {
  Start();
  EXPECT_THAT(Named(99, "x"), IsEmpty());
}

}  // namespace
}  // namespace predial
