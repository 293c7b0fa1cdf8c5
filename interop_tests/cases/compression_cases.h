// Cases about compression, message by message. The client's begin with a probe, a message that is
// not compressed as it says: a server that does not refuse it does not check.
#pragma once

#include "absl/status/status.h"
#include "interop_tests/cases/case.h"

namespace predial {

// Requests; the server checks them.
absl::Status ClientCompressedUnary(const CaseRun& run);
absl::Status ClientCompressedStreaming(const CaseRun& run);
// Responses.
absl::Status ServerCompressedUnary(const CaseRun& run);
absl::Status ServerCompressedStreaming(const CaseRun& run);

}  // namespace predial
