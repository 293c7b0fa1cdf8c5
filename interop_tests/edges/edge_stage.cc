#include "interop_tests/edges/edge_stage.h"

#include <utility>

namespace predial {
namespace {

bool IsStream(EdgeCall call) {
  return call == EdgeCall::kServerStream || call == EdgeCall::kBidiStream;
}

}  // namespace

std::string NameOf(EdgeStage stage) {
  switch (stage) {
    case EdgeStage::kBeforeHeaders:
      return "before headers";
    case EdgeStage::kAfterHeaders:
      return "after headers";
    case EdgeStage::kAfterMessage:
      return "after a message";
    case EdgeStage::kAfterLastMessage:
      return "after three messages";
    case EdgeStage::kAfterTrailers:
      return "after trailers";
  }
  return "?";
}

int MessagesAt(EdgeStage stage, EdgeCall call) {
  switch (stage) {
    case EdgeStage::kBeforeHeaders:
    case EdgeStage::kAfterHeaders:
      return 0;
    case EdgeStage::kAfterMessage:
      return IsStream(call) ? 1 : 0;
    case EdgeStage::kAfterLastMessage:
      return 3;
    case EdgeStage::kAfterTrailers:
      return 1;
  }
  return 0;
}

Steps Until(EdgeStage stage, EdgeCall call) {
  Steps steps;
  const auto add = [&](Step step, int gate) {
    steps.push_back(std::move(step));
    if (IsStream(call) && gate != 0) steps.push_back(Step::AwaitGate(gate));
  };
  switch (stage) {
    case EdgeStage::kBeforeHeaders:
      break;
    case EdgeStage::kAfterHeaders:
      add(Step::Headers(), kHeadersRead);
      break;
    case EdgeStage::kAfterMessage:
      add(Step::Headers(), 0);
      add(Step::Echo(), kMessageRead);
      break;
    case EdgeStage::kAfterLastMessage:
      add(Step::Headers(), 0);
      add(Step::Echo(), 0);
      add(Step::Echo(), 0);
      add(Step::Echo(), kThreeMessagesRead);
      break;
    case EdgeStage::kAfterTrailers:
      // A stream whose client has not ended is still open: gRPC may drop a message that waits.
      add(Step::Headers(), 0);
      add(Step::Echo(), kMessageRead);
      add(Step::Trailers(), 0);
      break;
  }
  return steps;
}

Steps Rest(EdgeStage stage) {
  switch (stage) {
    case EdgeStage::kBeforeHeaders:
      return {Step::Headers(), Step::Echo(), Step::Trailers()};
    case EdgeStage::kAfterHeaders:
      return {Step::Echo(), Step::Trailers()};
    case EdgeStage::kAfterMessage:
    case EdgeStage::kAfterLastMessage:
      return {Step::Trailers()};
    case EdgeStage::kAfterTrailers:
      break;
  }
  return {};
}

Steps Join(Steps first, const Steps& second, const Steps& third) {
  first.insert(first.end(), second.begin(), second.end());
  first.insert(first.end(), third.begin(), third.end());
  return first;
}

Reply OnRequest(EdgeCall call, Steps steps) {
  if (call == EdgeCall::kBidiStream) return {{}, std::move(steps), {}};
  return Reply::AtEnd(std::move(steps));
}

}  // namespace predial
