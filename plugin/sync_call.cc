#include "plugin/sync_call.h"

#include <grpc/grpc.h>

// Of gRPC's src/core/lib/surface/completion_queue.h. Weak: null if gRPC has it no longer.
__attribute__((weak)) grpc_cq_completion_type grpc_get_cq_completion_type(
    grpc_completion_queue* queue);

namespace predial {

bool IsSyncCall(grpc::CompletionQueue* queue) {
  return grpc_get_cq_completion_type != nullptr &&
         grpc_get_cq_completion_type(queue->cq()) == GRPC_CQ_PLUCK;
}

}  // namespace predial
