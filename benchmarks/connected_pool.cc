#include "benchmarks/connected_pool.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace predial {

int ReadyMembers(const PoolStats& stats) {
  int ready = 0;
  for (const EndpointStats& endpoint : stats.endpoints) ready += endpoint.ready;
  return ready;
}

absl::Status AwaitMembers(PooledChannel& pool, int members, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    const PoolStats stats = pool.Stats();
    if (ReadyMembers(stats) >= members) return absl::OkStatus();
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat("the pool to ", stats.target, " has ",
                                                      ReadyMembers(stats), " of ", members,
                                                      " members: ", stats.last_error));
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
}

}  // namespace predial
