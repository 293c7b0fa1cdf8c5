// Each edge, over an ordinary channel and over a pool: the RPC ends as expected, came to the server
// as often as expected, and all is well afterwards.
#include "interop_tests/edges/edges.h"

#include <gtest/gtest.h>

#include <iterator>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "interop_tests/edges/edge.h"
#include "interop_tests/edges/edge_run.h"

namespace predial {

void PrintTo(const EdgeOutcome& outcome, std::ostream* out) {
  *out << NameOf(outcome.code) << ", " << outcome.messages << " messages, seen " << outcome.seen
       << ", those after it " << (outcome.next ? "succeed" : "fail");
}
void PrintTo(const Edge& edge, std::ostream* out) { *out << NameOf(edge); }

namespace {

class EdgesTest : public testing::TestWithParam<Edge> {
 protected:
  static void Check(EdgeChannel channel, const EdgeOutcome& expected) {
    const EdgeRun run = RunEdge(GetParam(), channel);
    EXPECT_EQ(run.outcome, expected) << run.message;
    if (!GetParam().message.empty()) {
      EXPECT_EQ(run.message, GetParam().message);
    }
    if (expected.next) {
      EXPECT_EQ(run.trouble, "");
    }
  }
};

TEST_P(EdgesTest, OrdinaryChannel) {
  if (GetParam().ordinary_aborts) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_DEATH(RunEdge(GetParam(), EdgeChannel::kOrdinary), "engaged_");
    return;
  }
  Check(EdgeChannel::kOrdinary, GetParam().ordinary);
}
TEST_P(EdgesTest, Pool) { Check(EdgeChannel::kPool, GetParam().expected_of_pool()); }

INSTANTIATE_TEST_SUITE_P(All, EdgesTest, testing::ValuesIn(AllEdges()),
                         [](const auto& info) { return NameOf(info.param); });

// Nothing that succeeds over an ordinary channel fails over a pool, but for what is known.
TEST(EdgesListTest, ThePoolIsNotWorse) {
  for (const Edge& edge : AllEdges()) {
    const EdgeOutcome& pool = edge.expected_of_pool();
    const bool worse =
        (edge.ordinary.code == grpc::StatusCode::OK && pool.code != grpc::StatusCode::OK) ||
        pool.messages < edge.ordinary.messages || (edge.ordinary.next && !pool.next);
    EXPECT_EQ(worse, edge.known_limit) << NameOf(edge);
    if (pool != edge.ordinary || edge.ordinary_aborts) {
      EXPECT_NE(edge.note, "") << NameOf(edge);
    }
  }
}

}  // namespace
}  // namespace predial
