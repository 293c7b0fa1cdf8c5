// RunStreams(): bidirectional streams that stay open, all at once.
#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmarks/compare/contender.h"

namespace predial {

struct StreamReport {
  int progressed = 0;  // got their first answer in time
  int finished = 0;    // ended well after that, when they were told to
};

// Opens `streams` streams, each of which sends a message and waits for its echo, and stays open
// until all have it or `patience` is over; then ends them. Callback API. INVALID_ARGUMENT:
// `streams` is not within [1, 100000].
absl::StatusOr<StreamReport> RunStreams(const Contender& contender, int streams,
                                        absl::Duration patience);

}  // namespace predial
