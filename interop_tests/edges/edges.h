// AllEdges: the list of all edges, and its sections.
//
// Threads: thread-safe.
#pragma once

#include <vector>

#include "interop_tests/edges/edge.h"

namespace predial {

// By section.
std::vector<Edge> GoAwayEdges();
std::vector<Edge> ResetEdges();
std::vector<Edge> StreamLimitEdges();
std::vector<Edge> SettingsEdges();
std::vector<Edge> FlowControlEdges();
std::vector<Edge> MetadataEdges();
std::vector<Edge> StatusEdges();
std::vector<Edge> MessageEdges();
std::vector<Edge> FrameEdges();
std::vector<Edge> ConnectionEdges();
// In the table's order.
std::vector<Edge> AllEdges();

}  // namespace predial
