// TcpDialer: connects without blocking, races a dual-stack host's addresses (RFC 8305, "Happy
// Eyeballs"), and sets the socket options that a gRPC connection needs. Dials unix sockets too.
//
// Every socket is O_NONBLOCK and FD_CLOEXEC; a TCP one has seen exactly one connect(2), whose end
// was polled for. Thread-safe: it holds nothing but its options.
//
// The addresses are tried in their order: the next one when the one before fails, or when it has
// had attempt_delay to itself. The first that connects wins and the others are closed. When none
// does, the error gives each address's cause.
#pragma once

#include <memory>

#include "plugin/io/dialer.h"
#include "plugin/io/socket_options.h"

namespace predial {

// `options` must be valid.
std::shared_ptr<Dialer> CreateTcpDialer(SocketOptions options);

}  // namespace predial
