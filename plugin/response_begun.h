// HasResponseBegun: whether anything of an RPC's response has come, as far as gRPC's core knows.
#pragma once

#include <grpcpp/client_context.h>

namespace predial {

// For an RPC of `context` that has ended with an error: false only if neither headers nor messages
// of a response came before its end. A response of trailers alone (an error of the server's own)
// counts as none. True if this gRPC cannot tell.
bool HasResponseBegun(grpc::ClientContext* context);

}  // namespace predial
