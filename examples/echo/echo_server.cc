// The echo server: prints `listening on ADDRESS` and serves until SIGTERM or SIGINT. Then it leaves
// as a server should: NOT_SERVING for --lame_duck, GOAWAY, and at most --shutdown_deadline for the
// RPCs in flight. A second signal cuts the lame duck short.
#include <signal.h>
#include <time.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/echo/echo_server_lib.h"
#include "examples/echo/program.h"
#include "examples/echo/tls.h"

ABSL_FLAG(std::string, address, "127.0.0.1", "IP address to listen on, or unix:/path");
ABSL_FLAG(int, port, 0, "TCP port to listen on; 0 is any free one");
ABSL_FLAG(absl::Duration, lame_duck, absl::Seconds(1),
          "how long to say NOT_SERVING, and still serve, before shutting down");
ABSL_FLAG(absl::Duration, shutdown_deadline, absl::Seconds(10),
          "how long RPCs in flight may take to finish once shutting down");
ABSL_FLAG(absl::Duration, max_connection_age, absl::InfiniteDuration(),
          "end each connection at this age");
ABSL_FLAG(absl::Duration, max_connection_age_grace, absl::InfiniteDuration(),
          "how long RPCs on such a connection may take to finish");
ABSL_FLAG(int, max_concurrent_streams, 0, "RPCs at a time on one connection; 0 is no limit");
ABSL_FLAG(bool, health, true, "serve grpc.health.v1");

namespace predial {
namespace {

absl::StatusOr<std::string> ListenAddress() {
  const std::string address = absl::GetFlag(FLAGS_address);
  const int port = absl::GetFlag(FLAGS_port);
  if (port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("--port is ", port, "; it must be within [0, 65535]"));
  }
  if (absl::StartsWith(address, "unix")) {
    if (port == 0) return address;
    return absl::InvalidArgumentError(
        absl::StrCat("--port has no meaning for --address=", address));
  }
  if (absl::StrContains(address, ':') && !absl::StartsWith(address, "[")) {
    return absl::StrCat("[", address, "]:", port);
  }
  return absl::StrCat(address, ":", port);
}

// Waits for one of `signals`, at most this long.
void WaitForSignal(const sigset_t& signals, absl::Duration at_most) {
  if (at_most <= absl::ZeroDuration()) return;
  if (at_most == absl::InfiniteDuration()) {
    int signal;
    sigwait(&signals, &signal);
    return;
  }
  const timespec timeout = absl::ToTimespec(at_most);
  // An EINTR (a stop and a continue) shortens the wait, which is harmless here.
  sigtimedwait(&signals, nullptr, &timeout);
}

absl::Status Run(const sigset_t& signals) {
  const absl::StatusOr<std::string> address = ListenAddress();
  if (!address.ok()) return address.status();
  for (const auto* flag : {&FLAGS_lame_duck, &FLAGS_shutdown_deadline}) {
    if (absl::GetFlag(*flag) < absl::ZeroDuration()) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag->Name(), " is ",
                                                     absl::FormatDuration(absl::GetFlag(*flag)),
                                                     "; it must not be negative"));
    }
  }
  EchoServerOptions options;
  options.address = *address;
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials =
      ServerCredentialsFromFlags();
  if (!credentials.ok()) return credentials.status();
  options.credentials = *std::move(credentials);
  options.max_connection_age = absl::GetFlag(FLAGS_max_connection_age);
  options.max_connection_age_grace = absl::GetFlag(FLAGS_max_connection_age_grace);
  options.max_concurrent_streams = absl::GetFlag(FLAGS_max_concurrent_streams);
  options.health = absl::GetFlag(FLAGS_health);
  absl::StatusOr<std::unique_ptr<EchoServer>> server = EchoServer::Start(options);
  if (!server.ok()) return server.status();

  // The only line on stdout, ever: scripts read the port from it.
  printf("listening on %s\n", (*server)->address().c_str());
  if (fflush(stdout) != 0) return absl::ErrnoToStatus(errno, "cannot write to stdout");

  WaitForSignal(signals, absl::InfiniteDuration());
  (*server)->SetServing(false);
  WaitForSignal(signals, absl::GetFlag(FLAGS_lame_duck));
  (*server)->Shutdown(absl::GetFlag(FLAGS_shutdown_deadline));
  fprintf(stderr, "served %lld RPCs\n", static_cast<long long>((*server)->rpcs()));
  return absl::OkStatus();
}

}  // namespace
}  // namespace predial

int main(int argc, char** argv) {
  return predial::RunProgram(argc, argv, "a gRPC echo server; SIGTERM makes it leave gracefully",
                             {SIGTERM, SIGINT}, predial::Run);
}
