// Cases about how an RPC ends, and about the metadata that goes with it.
#pragma once

#include "absl/status/status.h"
#include "interop_tests/cases/case.h"

namespace predial {

// Cancelled before a message; after the first response.
absl::Status CancelAfterBegin(const CaseRun& run);
absl::Status CancelAfterFirstResponse(const CaseRun& run);
// A deadline of 1 ms, and a server that waits for more requests.
absl::Status TimeoutOnSleepingServer(const CaseRun& run);
// The server's status comes through, in a unary RPC and in a stream; with characters that have to
// be escaped on the wire.
absl::Status StatusCodeAndMessage(const CaseRun& run);
absl::Status SpecialStatusMessage(const CaseRun& run);
// Metadata goes there and comes back, in a unary RPC and in a stream.
absl::Status CustomMetadata(const CaseRun& run);
// UNIMPLEMENTED.
absl::Status UnimplementedMethod(const CaseRun& run);
absl::Status UnimplementedServiceCase(const CaseRun& run);

}  // namespace predial
