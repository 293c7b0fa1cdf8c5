#include "plugin/response_begun.h"

#include <grpc/grpc.h>

// Of gRPC's src/core/lib/surface/call.h. Weak: null if gRPC has it no longer.
__attribute__((weak)) int grpc_call_is_trailers_only(const grpc_call* call);

namespace predial {

bool HasResponseBegun(grpc::ClientContext* context) {
  return grpc_call_is_trailers_only == nullptr ||
         grpc_call_is_trailers_only(context->c_call()) == 0;
}

}  // namespace predial
