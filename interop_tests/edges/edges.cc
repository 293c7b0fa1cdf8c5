#include "interop_tests/edges/edges.h"

#include <utility>

namespace predial {

std::vector<Edge> AllEdges() {
  std::vector<Edge> all;
  for (const auto& section :
       {GoAwayEdges, ResetEdges, StreamLimitEdges, SettingsEdges, FlowControlEdges, MetadataEdges,
        StatusEdges, MessageEdges, FrameEdges, ConnectionEdges}) {
    for (Edge& edge : section()) all.push_back(std::move(edge));
  }
  return all;
}

}  // namespace predial
