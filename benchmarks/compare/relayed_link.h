// RelayedLink: what the connections of one LinkRelay share: the two directions of the link, and the
// limits that keep what is buffered near to what a path of this delay and rate would buffer.
//
// Threads: of the relay's thread, but for the counters.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "benchmarks/compare/fair_link.h"
#include "benchmarks/compare/link_options.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"

namespace predial {

// The ends of a connection. Direction d leads from end d to the other one.
inline constexpr int kClient = 0;
inline constexpr int kServer = 1;

struct RelayedLink {
  // Bytes of one connection that may wait for the bottleneck, in each direction: the queue that a
  // TCP sender with a fair share of a router builds up there. A connection that is full is not
  // read.
  static constexpr int64_t kQueueBytes = 64 << 10;
  // Beyond the bottleneck there are at most delay * rate bytes, and no more of a connection than
  // this: a slow reader is to stop its sender.
  static constexpr int64_t kInFlightBytesMax = 64 << 20;
  // In place of both, without a rate: about the largest window that Linux gives a connection. So
  // one connection gets no more than this per delay.
  static constexpr int64_t kUnlimitedBytesMax = 4 << 20;
  // Timers that follow each other go off together, as late as this: as a network card saves up
  // interrupts. A timer that is the first for that long is exact.
  static constexpr Duration kTimerInterval = std::chrono::microseconds(100);

  RelayedLink(const LinkOptions& options, const Address& upstream, int epoll);

  // For a listener, or before connect(). Both sides shall send segments as over Ethernet, and not
  // the 64 KiB of loopback, for which Linux makes a sender's buffer 2.5 MB at once: all that would
  // be ahead of a small message, and on a real link it is not. For the same reason the receive
  // buffer, which is before the bottleneck, is small. False, and errno, if that fails.
  static bool SetSizes(int fd);

  const Address upstream;
  const int epoll;
  const Duration delay;
  const Duration handshake;  // one way of it: delay, or 0 without a handshake
  const int64_t waiting_max;
  const int64_t bytes_max;  // waiting, in flight and arrived
  FairLink directions[2];
  std::vector<char> scratch;

  std::atomic<int64_t> delivered[2] = {{0}, {0}};  // bytes
};

}  // namespace predial
