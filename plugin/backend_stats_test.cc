#include "plugin/backend_stats.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace predial {
namespace {

int64_t Total(const std::vector<BackendStats>& backends) {
  int64_t total = 0;
  for (const BackendStats& backend : backends) total += backend.connections;
  return total;
}

TEST(BackendStatsTest, NamesEachWithItsConnections) {
  const auto backends = MakeBackendStats({{"b", 2}, {"a", 1}});
  ASSERT_EQ(backends.size(), 2u);
  EXPECT_EQ(backends[0].name, "a");
  EXPECT_EQ(backends[0].connections, 1);
  EXPECT_EQ(backends[1].name, "b");
  EXPECT_EQ(backends[1].connections, 2);
  EXPECT_TRUE(MakeBackendStats({}).empty());
}

TEST(BackendStatsTest, TheSmallestOfTooManyAreSummedUp) {
  std::map<std::string, int> connections;
  for (size_t i = 0; i < kBackendsMax; ++i) connections[absl::StrCat("b", i)] = 1;
  EXPECT_EQ(MakeBackendStats(connections).size(), kBackendsMax);
  connections["a-small"] = connections["z-small"] = 1;
  connections["z-large"] = 7;
  const auto backends = MakeBackendStats(connections);
  ASSERT_EQ(backends.size(), kBackendsMax + 1);
  EXPECT_EQ(backends.back().name, "other");
  EXPECT_EQ(backends.back().connections, 3);
  EXPECT_EQ(backends[kBackendsMax - 1].name, "z-large");
  EXPECT_EQ(Total(backends), static_cast<int64_t>(kBackendsMax) + 9);
}

}  // namespace
}  // namespace predial
