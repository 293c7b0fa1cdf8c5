#include "benchmarks/compare/relayed_link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "absl/time/time.h"

namespace predial {
namespace {

constexpr int kReceiveBufferBytes = 64 << 10;  // the kernel doubles it, for its own overhead
constexpr int64_t kScratchBytes = 64 << 10;

int64_t BytesIn(absl::Duration time, int64_t rate) {
  return static_cast<int64_t>(absl::ToDoubleSeconds(time) * rate / 8);
}

int64_t WaitingMax(const LinkOptions& options) {
  if (options.rate == 0) return RelayedLink::kUnlimitedBytesMax;
  // The bottleneck must not run dry between two timers.
  const absl::Duration ahead = absl::FromChrono(10 * RelayedLink::kTimerInterval);
  return RelayedLink::kQueueBytes + BytesIn(ahead, options.rate);
}

int64_t BytesMax(const LinkOptions& options) {
  if (options.rate == 0) return RelayedLink::kUnlimitedBytesMax;
  return WaitingMax(options) +
         std::min(BytesIn(options.delay, options.rate), RelayedLink::kInFlightBytesMax);
}

}  // namespace

RelayedLink::RelayedLink(const LinkOptions& options, const Address& upstream, int epoll)
    : upstream(upstream),
      epoll(epoll),
      delay(absl::ToChronoNanoseconds(options.delay)),
      handshake(options.handshake ? delay : Duration::zero()),
      waiting_max(WaitingMax(options)),
      bytes_max(BytesMax(options)),
      directions{FairLink(options, 2 * options.seed), FairLink(options, 2 * options.seed + 1)},
      scratch(kScratchBytes) {}

bool RelayedLink::SetSizes(int fd) {
  const int segment = FairLink::kChunkBytes;
  return setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) == 0 &&
         setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof kReceiveBufferBytes) ==
             0;
}

}  // namespace predial
