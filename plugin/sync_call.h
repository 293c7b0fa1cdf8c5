// Whether an RPC is synchronous: its caller may be made to wait.
//
// gRPC does not say. But only its synchronous calls use a completion queue that is plucked from: a
// user cannot make one, and callback and asynchronous calls use queues of other types. The core
// knows a queue's type; the function that tells is not in a public header, so it is looked for when
// the program is linked: without it no RPC counts as synchronous.
#pragma once

#include <grpcpp/completion_queue.h>

namespace predial {

// `queue` is what CreateCall() was given. Thread-safe; never blocks.
bool IsSyncCall(grpc::CompletionQueue* queue);

}  // namespace predial
