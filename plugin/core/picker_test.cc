#include "plugin/core/picker.h"

#include <gtest/gtest.h>

#include <vector>

namespace predial {
namespace {

// Picks `picks` times; the chosen member's load grows by one each time if `keep`.
std::vector<int> Spread(PickerKind kind, std::vector<int> loads, int picks, bool keep) {
  std::vector<int> chosen(loads.size());
  for (int ticket = 0; ticket < picks; ++ticket) {
    const size_t at = Pick(kind, loads.size(), ticket, [&](size_t i) { return loads[i]; });
    EXPECT_LT(at, loads.size());
    ++chosen[at];
    if (keep) ++loads[at];
  }
  return chosen;
}

TEST(PickerTest, RoundRobinGivesEachItsTurn) {
  EXPECT_EQ(Spread(PickerKind::kRoundRobin, {0, 9, 0}, 9, false), (std::vector<int>{3, 3, 3}));
}

TEST(PickerTest, LeastLoadedFillsTheValleys) {
  EXPECT_EQ(Spread(PickerKind::kLeastLoaded, {5, 0, 2, 5}, 8, true),
            (std::vector<int>{0, 5, 3, 0}));
}

TEST(PickerTest, LeastLoadedTakesTurnsAmongEquals) {
  EXPECT_EQ(Spread(PickerKind::kLeastLoaded, {0, 0, 0, 0}, 8, false),
            (std::vector<int>{2, 2, 2, 2}));
}

TEST(PickerTest, TwoChoicesAvoidTheLoaded) {
  for (PickerKind kind : {PickerKind::kPowerOfTwoChoices, PickerKind::kPeakEwma}) {
    const std::vector<int> chosen = Spread(kind, {100, 0, 0, 0}, 4000, false);
    EXPECT_EQ(chosen[0], 0);  // loses every comparison
    for (int i = 1; i < 4; ++i) EXPECT_NEAR(chosen[i], 4000 / 3, 150);
  }
}

TEST(PickerTest, PowerOfTwoChoicesKeepsRealLoadsEven) {
  const std::vector<int> chosen =
      Spread(PickerKind::kPowerOfTwoChoices, std::vector<int>(8), 8000, true);
  for (int count : chosen) EXPECT_NEAR(count, 1000, 10);
}

TEST(PickerTest, OneMemberIsAlwaysChosen) {
  for (PickerKind kind : {PickerKind::kRoundRobin, PickerKind::kPowerOfTwoChoices,
                          PickerKind::kLeastLoaded, PickerKind::kPeakEwma}) {
    EXPECT_EQ(Spread(kind, {7}, 5, true), (std::vector<int>{5}));
  }
}

}  // namespace
}  // namespace predial
