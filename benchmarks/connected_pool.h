// Waiting for a pool to be as large as it is meant to be.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "plugin/pooled_channel.h"
#include "plugin/stats.h"

namespace predial {

// Members that take RPCs, all endpoints together.
int ReadyMembers(const PoolStats& stats);

// Returns once `pool` has `members` ready ones. DEADLINE_EXCEEDED after `timeout`, with the pool's
// own reason.
absl::Status AwaitMembers(PooledChannel& pool, int members, absl::Duration timeout);

}  // namespace predial
