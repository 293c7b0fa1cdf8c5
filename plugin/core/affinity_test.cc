#include "plugin/core/affinity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"

namespace predial {
namespace {

// The ids of the key's members, in its order.
std::vector<uint64_t> Order(absl::string_view key, const std::vector<uint64_t>& ids) {
  std::vector<uint64_t> order;
  std::optional<uint64_t> below;
  for (size_t i = 0; i <= ids.size(); ++i) {
    const auto choice = NextByAffinity(AffinityKey(key), ids.size(), below,
                                       [&](size_t at) { return MixTicket(ids[at]); });
    if (!choice) break;
    order.push_back(ids[choice->at]);
    below = choice->score;
  }
  return order;
}

std::string Key(int i) { return absl::StrCat("user-", i); }

TEST(AffinityTest, AKeysOrderNamesEveryMemberOnce) {
  std::vector<uint64_t> order = Order("a", {5, 3, 9, 1});
  EXPECT_EQ(order, Order("a", {1, 9, 3, 5})) << "depends on the list's order";
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, (std::vector<uint64_t>{1, 3, 5, 9}));
}

TEST(AffinityTest, AMemberThatIsNamedTwiceIsChosenOnce) {
  EXPECT_EQ(Order("a", {5, 3, 5}).size(), 2u);
}

TEST(AffinityTest, WithoutMembersThereIsNoChoice) { EXPECT_TRUE(Order("a", {}).empty()); }

TEST(AffinityTest, KeysAreSpreadEvenly) {
  std::map<uint64_t, int> keys;
  for (int i = 0; i < 8000; ++i) ++keys[Order(Key(i), {1, 2, 3, 4, 5, 6, 7, 8})[0]];
  ASSERT_EQ(keys.size(), 8u);
  for (const auto& [id, count] : keys) EXPECT_NEAR(count, 1000, 130) << id;  // 4 deviations
}

TEST(AffinityTest, AMemberThatLeavesMovesItsOwnKeysOnlyAndToTheirSeconds) {
  const std::vector<uint64_t> all = {1, 2, 3, 4, 5, 6, 7, 8};
  const std::vector<uint64_t> rest = {1, 2, 4, 5, 6, 7, 8};
  std::map<uint64_t, int> heirs;
  for (int i = 0; i < 8000; ++i) {
    const std::vector<uint64_t> before = Order(Key(i), all);
    const uint64_t after = Order(Key(i), rest)[0];
    if (before[0] != 3) {
      EXPECT_EQ(after, before[0]) << Key(i);
    } else {
      EXPECT_EQ(after, before[1]) << Key(i);
      ++heirs[after];
    }
  }
  EXPECT_EQ(heirs.size(), 7u);
}

TEST(AffinityTest, AMemberThatComesTakesItsShareAndMovesNothingElse) {
  int taken = 0;
  for (int i = 0; i < 8000; ++i) {
    const uint64_t before = Order(Key(i), {1, 2, 3, 4})[0];
    const uint64_t after = Order(Key(i), {1, 2, 3, 4, 5})[0];
    if (after == 5) {
      ++taken;
    } else {
      EXPECT_EQ(after, before) << Key(i);
    }
  }
  EXPECT_NEAR(taken, 1600, 145);  // 4 deviations
}

TEST(AffinityTest, EmptyAndBinaryKeysAreKeys) {
  EXPECT_NE(AffinityKey(""), AffinityKey(absl::string_view("\0", 1)));
  EXPECT_NE(AffinityKey(absl::string_view("\xff\0a", 3)),
            AffinityKey(absl::string_view("\xff\0b", 3)));
}

}  // namespace
}  // namespace predial
