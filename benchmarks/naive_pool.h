// NaivePool: what one writes who only knows that a channel can be made over a socket. A few
// connections, taken in turn; one on which an RPC failed with UNAVAILABLE is dialed again when its
// turn comes. Nothing is retried, watched or drained. For comparison only.
//
// Threads:   thread-safe.
// Ownership: RPCs hold the channel that they run on.
#pragma once

#include <grpcpp/impl/channel_interface.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace predial {

// The addresses are "host:port", IPv4 literals; connection i goes to address i modulo their number.
// All of them are connected when this returns. INVALID_ARGUMENT: an address, or none.
//
// The result has no connectivity API: asked for its state it says READY. A dial takes 1 s at most,
// during which the RPC whose turn it was waits.
absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreateNaivePool(
    const std::vector<std::string>& addresses, int connections);

}  // namespace predial
