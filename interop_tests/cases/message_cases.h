// Cases about messages: that they arrive, whole and in order, in RPCs of every kind.
#pragma once

#include "absl/status/status.h"
#include "interop_tests/cases/case.h"

namespace predial {

// An empty message each way.
absl::Status EmptyUnary(const CaseRun& run);
// 271828 bytes there, 314159 back.
absl::Status LargeUnary(const CaseRun& run);
// 27182, 8, 1828 and 45904 bytes there, their sum back.
absl::Status ClientStreaming(const CaseRun& run);
// 31415, 9, 2653 and 58979 bytes back.
absl::Status ServerStreaming(const CaseRun& run);
// Both, one by one.
absl::Status PingPong(const CaseRun& run);
// A stream without a message.
absl::Status EmptyStream(const CaseRun& run);
// Both, the responses after the last request.
absl::Status HalfDuplex(const CaseRun& run);

// LargeUnary's RPC, for the soaks.
absl::Status CallLargeUnary(TestClient& client, const CaseRun& run);

}  // namespace predial
