// TcpSilence: how long a connection has been silent, as its kernel knows. No packet is sent.
#pragma once

#include "plugin/core/types.h"
#include "plugin/io/unique_fd.h"

namespace predial {

struct TcpSilence {
  // Since data came from the peer, or since the connection was made.
  Duration since_received = Duration::max();
  // What was sent is not acknowledged, and has been sent again in vain: the network is broken, or
  // the peer's host is gone. A peer that hangs is silent, but its kernel acknowledges.
  bool stalled = false;
};

// For a socket that is not TCP, which nothing is known about: silent for ever, not stalled.
// Thread-safe.
TcpSilence ReadTcpSilence(const UniqueFd& socket);

}  // namespace predial
