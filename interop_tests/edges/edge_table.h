// EdgeTable: what became of all edges, as the tables of docs/interop.md.
//
// Threads: EdgeTable() uses some of its own, which are gone when it returns.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "interop_tests/edges/edge.h"

namespace predial {

// Runs them all over both channels, but for those whose ordinary channel aborts: edges_test shows
// that it does. Edges of one section that differ in nothing but the stage and
// the call share a line. The text says nothing that differs from run to run, but what has gone
// wrong.
std::string EdgeTable(const std::vector<Edge>& edges);

// `document` with `table` between its lines "<!-- edges: begin -->" and "<!-- edges: end -->".
// INVALID_ARGUMENT if it does not have both, in this order.
absl::StatusOr<std::string> WithTable(absl::string_view document, absl::string_view table);

}  // namespace predial
