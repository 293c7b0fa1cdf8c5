// EdgeStage: how far an answer has come when the server does what it should not, and the steps
// before and after. For streams a gate stands in between: the client has read it all by then.
#pragma once

#include <string>

#include "interop_tests/edges/edge.h"
#include "plugin/testing/script.h"

namespace predial {

enum class EdgeStage {
  kBeforeHeaders,
  kAfterHeaders,
  kAfterMessage,
  kAfterLastMessage,  // of three; streams only
  kAfterTrailers,
};

// "after a message".
std::string NameOf(EdgeStage stage);
// What the caller has got by then, as messages. A unary RPC's caller gets its message at the end.
int MessagesAt(EdgeStage stage, EdgeCall call);

// The answer until then; what is left of it, with one message in all.
Steps Until(EdgeStage stage, EdgeCall call);
Steps Rest(EdgeStage stage);
// All steps, one after another.
Steps Join(Steps first, const Steps& second, const Steps& third = {});
// When the server has read the request: its end, or of a bidi stream a message.
Reply OnRequest(EdgeCall call, Steps steps);

}  // namespace predial
