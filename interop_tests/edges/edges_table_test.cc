// docs/interop.md has the table that edges_table prints.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "interop_tests/edges/edge_table.h"
#include "interop_tests/edges/edges.h"

namespace predial {
namespace {

TEST(EdgesTableTest, TheDocumentIsWhatComesOut) {
  std::ifstream file("docs/interop.md");
  ASSERT_TRUE(file.good());
  const std::string document(std::istreambuf_iterator<char>(file), {});
  const auto fresh = WithTable(document, EdgeTable(AllEdges()));
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  EXPECT_EQ(document, *fresh)
      << "if that is as it should be: bazel run --config=system //interop_tests/edges:edges_table"
         " -- --into \"$PWD/docs/interop.md\"";
}

TEST(EdgesTableTest, ADocumentWithoutAPlaceForItIsRefused) {
  EXPECT_EQ(WithTable("# Interop\n", "table").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WithTable("<!-- edges: end -->\n<!-- edges: begin -->\n", "").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(EdgesTableTest, TheRestOfTheDocumentStays) {
  const auto document =
      WithTable("a\n<!-- edges: begin -->\nold\n<!-- edges: end -->\nb\n", "new\n");
  ASSERT_TRUE(document.ok()) << document.status();
  EXPECT_EQ(*document, "a\n<!-- edges: begin -->\nnew\n<!-- edges: end -->\nb\n");
}

}  // namespace
}  // namespace predial
