// The socket of one connect: made, set up and bound, not yet connected.
//
// Errors: DialError() statuses that name the address, the option or call, and errno's text.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plugin/io/address.h"
#include "plugin/io/socket_options.h"
#include "plugin/io/unique_fd.h"

namespace predial {

// Non-blocking and close-on-exec, with everything in `options` that has a meaning for the peer's
// family. `options` must be valid. Thread-safe.
absl::StatusOr<UniqueFd> OpenDialSocket(const SocketOptions& options, const Address& peer);

// What `error`, the errno of a failed connect or of another call for `peer`, means for the dial.
absl::Status DialErrnoError(const Address& peer, absl::string_view call, int error);

}  // namespace predial
