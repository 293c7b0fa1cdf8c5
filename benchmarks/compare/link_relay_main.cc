// A link between a client and a server on this machine: `link_relay --upstream=127.0.0.1:50051
// --delay=5ms --rate=200M` prints `listening on ADDRESS` and passes connections on to upstream as
// such a link would; see link_relay.h. Ends with SIGTERM or SIGINT, and then says what it has
// passed.
#include <signal.h>
#include <sys/resource.h>

#include <cerrno>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmarks/compare/link_options.h"
#include "benchmarks/compare/link_relay.h"
#include "examples/echo/program.h"

ABSL_FLAG(std::string, upstream, "", "where to, as 127.0.0.1:50051");
ABSL_FLAG(absl::Duration, delay, absl::ZeroDuration(), "how long the way is, in each direction");
ABSL_FLAG(std::string, rate, "0",
          "bits per second in each direction, as 200M or 1000000; 0 is unlimited");
ABSL_FLAG(absl::Duration, stall_every, absl::InfiniteDuration(),
          "mean time between two stalls of a connection, in each direction; inf is none");
ABSL_FLAG(absl::Duration, stall_length, absl::Milliseconds(200), "how long a stall lasts");
ABSL_FLAG(uint64_t, seed, 1, "of the stalls' times");
ABSL_FLAG(bool, handshake, true, "whether a new connection costs a round trip");

namespace predial {
namespace {

// Two descriptors are needed for each connection.
void RaiseFdLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

absl::Status Run(const sigset_t& signals) {
  const std::string upstream = absl::GetFlag(FLAGS_upstream);
  if (upstream.empty()) return absl::InvalidArgumentError("--upstream is missing");
  LinkOptions options;
  const absl::StatusOr<int64_t> rate = ParseRate(absl::GetFlag(FLAGS_rate));
  if (!rate.ok()) return rate.status();
  options.rate = *rate;
  options.delay = absl::GetFlag(FLAGS_delay);
  options.stall_every = absl::GetFlag(FLAGS_stall_every);
  options.stall_length = absl::GetFlag(FLAGS_stall_length);
  options.seed = absl::GetFlag(FLAGS_seed);
  options.handshake = absl::GetFlag(FLAGS_handshake);
  RaiseFdLimit();
  const absl::StatusOr<std::unique_ptr<LinkRelay>> relay = LinkRelay::Start(upstream, options);
  if (!relay.ok()) return relay.status();
  printf("listening on %s\n", (*relay)->address().c_str());
  if (fflush(stdout) != 0) return absl::ErrnoToStatus(errno, "cannot write to stdout");

  int signal;
  sigwait(&signals, &signal);
  (*relay)->Stop();
  const LinkRelay::Stats stats = (*relay)->stats();
  printf("%" PRId64 " connections, %" PRId64 " bytes up, %" PRId64 " down, %" PRId64 " stalls\n",
         stats.accepted, stats.bytes_up, stats.bytes_down, stats.stalls);
  return absl::OkStatus();
}

}  // namespace
}  // namespace predial

int main(int argc, char** argv) {
  return predial::RunProgram(argc, argv, "passes TCP connections on as a slow link would",
                             {SIGTERM, SIGINT}, predial::Run);
}
