// Cases that take many RPCs, or time.
#pragma once

#include "absl/status/status.h"
#include "interop_tests/cases/case.h"

namespace predial {

// large_unary again and again over one channel; a few times over a new channel each time.
absl::Status RpcSoak(const CaseRun& run);
absl::Status ChannelSoak(const CaseRun& run);
// A stream stays open while unary RPCs go on beside it, and has a message each way now and then.
absl::Status LongLived(const CaseRun& run);
// Of a stream of 64 large messages, 16.8 MB in all, one is read only after some unary RPCs: much
// slower than the server could send, so that flow control has to hold it back. Over a new channel:
// the windows of one that has carried much have grown, up to more than that.
absl::Status SlowConsumer(const CaseRun& run);

}  // namespace predial
