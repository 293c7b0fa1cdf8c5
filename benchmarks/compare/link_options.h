// LinkOptions: what an emulated link does to the bytes that pass over it; see link_relay.h.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace predial {

struct LinkOptions {
  // How long the way is, in each direction. Default 0; range [0, 10 s].
  absl::Duration delay = absl::ZeroDuration();

  // Bits of payload per second in each direction, for all connections together. Headers of packets
  // do not count. Default 0: unlimited; range 0 and [10'000, 100'000'000'000].
  int64_t rate = 0;

  // The mean time from one stall to the next, in each direction: see fair_link.h. Default: no
  // stalls; range [1 ms, infinite].
  absl::Duration stall_every = absl::InfiniteDuration();

  // How long a stall lasts. Default 200 ms, the shortest time after which Linux sends again what
  // nobody acknowledged (TCP_RTO_MIN); range [1 ms, 60 s].
  absl::Duration stall_length = absl::Milliseconds(200);

  // Of the stalls' times. Any number.
  uint64_t seed = 1;

  // Whether a new connection costs a round trip: see link_relay.h.
  bool handshake = true;

  // INVALID_ARGUMENT names the field, its value and its range.
  absl::Status Validate() const;
};

// "200M", "1.5G", "64k", "1000000": bits per second, with decimal multiples. INVALID_ARGUMENT if it
// is no such number. Whether it is in a link's range is for Validate().
absl::StatusOr<int64_t> ParseRate(absl::string_view text);

}  // namespace predial
