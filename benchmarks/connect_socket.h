// ConnectSocket: a socket for a channel to be made over.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plugin/io/unique_fd.h"

namespace predial {

// A connected, non-blocking TCP socket with TCP_NODELAY, as every other channel has it. `address`
// is "host:port", an IPv4 literal, or else INVALID_ARGUMENT. An error of the kernel's, or
// DEADLINE_EXCEEDED after `timeout`, if it cannot be connected.
absl::StatusOr<UniqueFd> ConnectSocket(const std::string& address, absl::Duration timeout);

}  // namespace predial
