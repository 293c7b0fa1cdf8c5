// Whether a message was compressed on the wire. gRPC decompresses messages without a word; the
// compression cases, and the servers that check them, have to know.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

namespace predial {

// Of the last message that the RPC has received: of a stream, ask before the next is read.
bool CameCompressed(grpc::ClientContext& context);
bool CameCompressed(grpc::ServerContextBase& context);

}  // namespace predial
