// Every event about a member, in every state that a member can be in: what it orders.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "plugin/core/member.h"
#include "plugin/core/pool_core.h"
#include "plugin/core/pool_core_test_util.h"
#include "plugin/core/types.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How member 2, of members 2 and 3 on endpoint 1, comes into each state.
enum class From { kConnecting, kReady, kRotating, kSuspect, kEjected, kDraining, kGone };

const char* Name(From from) {
  switch (from) {
    case From::kConnecting:
      return "connecting";
    case From::kReady:
      return "ready";
    case From::kRotating:
      return "rotating";
    case From::kSuspect:
      return "suspect";
    case From::kEjected:
      return "ejected";
    case From::kDraining:
      return "draining";
    case From::kGone:
      return "gone";
  }
  return "?";
}

class PoolCoreTableTest : public CoreTest {
 public:
  // Expects what `event` orders in each state, from connecting to gone. "-": nothing. "bug": it
  // cannot be, and aborts.
  void Expect(const std::string& event, const std::vector<std::string>& rows) {
    static const From kAll[] = {From::kConnecting, From::kReady,    From::kRotating, From::kSuspect,
                                From::kEjected,    From::kDraining, From::kGone};
    ASSERT_EQ(rows.size(), std::size(kAll));
    for (size_t i = 0; i < rows.size(); ++i) {
      SCOPED_TRACE(event + " while " + Name(kAll[i]));
      Bring(kAll[i]);
      if (rows[i] == "bug") {
        EXPECT_DEATH(Events().at(event)(), "a second outcome");
        continue;
      }
      const std::string lines = absl::StrJoin(Events().at(event)(), " ");
      EXPECT_EQ(lines.empty() ? "-" : lines, rows[i]);
    }
  }

  std::map<std::string, std::function<Lines()>> Events() {
    return {
        {"ready", [this] { return Ready(2); }},
        {"connect failed", [this] { return Failed(2); }},
        {"peer closed", [this] { return PeerClosed(2); }},
        {"going away", [this] { return GoingAway(2); }},
        {"drained", [this] { return Drained(2); }},
        {"serving", [this] { return Checked(2, HealthResult::kServing); }},
        {"unimplemented", [this] { return Checked(2, HealthResult::kUnimplemented); }},
        {"not serving", [this] { return Checked(2, HealthResult::kNotServing); }},
        {"no answer", [this] { return Checked(2, HealthResult::kNoAnswer); }},
        {"worn", [this] { return Worn(2); }},
        {"ailing", [this] { return Ailing(2); }},
        {"erring", [this] { return Erring(2); }},
        {"silent",
         [this] {
           return Unanswered({{M(2), milliseconds(300), false}});
         }},
        {"stalled",
         [this] {
           return Unanswered({{M(2), milliseconds(300), true}});
         }},
    };
  }

 private:
  void Bring(From from) {
    policy_.health.enabled = true;
    policy_.health.interval = std::chrono::hours(100);
    policy_.lifetime.rpcs_max = 100;
    policy_.sizing.min = policy_.sizing.max = 3;
    core_ = nullptr;
    Resolved({"a"});  // 2, 3, 4
    Ready(3);
    Ready(4);
    now_ += seconds(10);
    if (from == From::kConnecting) return;
    Ready(2);
    now_ += seconds(10);
    switch (from) {
      case From::kRotating:
        Worn(2);  // 5 is on the way
        break;
      case From::kSuspect:
        Unanswered({{M(2), milliseconds(300), false}});
        break;
      case From::kEjected:
        Checked(2, HealthResult::kNotServing);  // at the maximum: not replaced
        break;
      case From::kDraining:
        GoingAway(2);  // 5 is on the way
        break;
      case From::kGone:
        PeerClosed(2);  // 5 is on the way
        break;
      case From::kConnecting:
      case From::kReady:
        break;
    }
  }
};

TEST_F(PoolCoreTableTest, OutcomesOfTheDial) {
  Expect("ready",
         {"LimitRpcs{2, 68, 100} Publish{2, 3, 4}", "bug", "bug", "bug", "bug", "bug", "-"});
  Expect("connect failed",
         {"Close{2, setup_failed} ResolveNow{}", "bug", "bug", "bug", "bug", "bug", "-"});
}

TEST_F(PoolCoreTableTest, PeerClosed) {
  Expect("peer closed", {
                            "Close{2, peer_closed} Connect{5, 1} ResolveNow{}",
                            "Close{2, peer_closed} Connect{5, 1} Publish{3, 4} ResolveNow{}",
                            "Close{2, peer_closed} Publish{3, 4} ResolveNow{}",
                            "Close{2, peer_closed} Connect{5, 1} ResolveNow{}",
                            "Close{2, peer_closed} Connect{5, 1} ResolveNow{}",
                            "Close{2, peer_closed} ResolveNow{}",
                            "-",
                        });
}

TEST_F(PoolCoreTableTest, GoingAway) {
  Expect("going away", {"-", "Drain{2} Connect{5, 1} Publish{3, 4}", "Drain{2} Publish{3, 4}",
                        "Drain{2} Connect{5, 1}", "Drain{2} Connect{5, 1}", "-", "-"});
}

TEST_F(PoolCoreTableTest, Drained) {
  Expect("drained", {"-", "-", "-", "-", "-", "Close{2, going_away}", "-"});
}

TEST_F(PoolCoreTableTest, Checked) {
  Expect("serving", {"-", "-", "-", "Publish{2, 3, 4}", "Publish{2, 3, 4}", "-", "-"});
  Expect("unimplemented", {"-", "-", "-", "Publish{2, 3, 4}", "Publish{2, 3, 4}", "-", "-"});
  Expect("not serving", {"-", "Publish{3, 4}", "Publish{3, 4}", "-", "-", "-", "-"});
  Expect("no answer", {"-", "-", "-", "Drain{2} Connect{5, 1, prime} ResolveNow{}", "-", "-", "-"});
}

TEST_F(PoolCoreTableTest, Worn) { Expect("worn", {"-", "Connect{5, 1}", "-", "-", "-", "-", "-"}); }

TEST_F(PoolCoreTableTest, Failing) {
  Expect("ailing", {"-", "Drain{2} Connect{5, 1} Publish{3, 4}", "Drain{2} Publish{3, 4}", "-", "-",
                    "-", "-"});
  Expect("erring", {"-", "Connect{5, 1}", "-", "-", "-", "-", "-"});
}

TEST_F(PoolCoreTableTest, Unanswered) {
  Expect("silent", {"-", "Check{2, quick} Publish{3, 4}", "Check{2, quick} Publish{3, 4}", "-", "-",
                    "-", "-"});
  const std::string left = "Drain{2} Check{3, quick} Check{4, quick} Publish{3, 4} ResolveNow{}";
  Expect("stalled", {"-", left, left, "-", "-", "-", "-"});
}

}  // namespace
}  // namespace predial
