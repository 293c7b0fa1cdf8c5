// Whether the linked gRPC treats a socket mutator as plugin/io/grpc_socket_mutator.h says.
#pragma once

#include "absl/status/status.h"

namespace predial {

// Looks before it leaps: gRPC's version must be one that the mirror was compared with, then gRPC's
// own functions must find a mutator's references and its vtable where the mirror has them, and only
// then a real channel is let use one, over loopback. OK, or what was different. Takes a few
// milliseconds; one second at most. Thread-safe.
absl::Status RunAdoptionSelfTest();

// Only the part before the channel, for a gRPC of that version.
absl::Status CheckMutatorMirror(const char* grpc_version);

}  // namespace predial
