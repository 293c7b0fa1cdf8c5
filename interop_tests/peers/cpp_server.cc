// The C++ peer of the interop cases: `cpp_server --port=0` prints `listening on ADDRESS` and serves
// grpc.testing.TestService until SIGTERM or SIGINT. Then it leaves: NOT_SERVING, GOAWAY, and at
// most --shutdown_deadline for the RPCs in flight.
#include <signal.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/echo/program.h"
#include "interop_tests/peers/test_server.h"

ABSL_FLAG(std::string, address, "127.0.0.1", "IP address to listen on, or unix:/path");
ABSL_FLAG(int, port, 0, "TCP port to listen on; 0 is any free one");
ABSL_FLAG(absl::Duration, shutdown_deadline, absl::Seconds(2),
          "how long RPCs in flight may take to finish once shutting down");

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

absl::Status Run(const sigset_t& signals) {
  const absl::StatusOr<std::string> address = ListenAddress();
  if (!address.ok()) return address.status();
  if (absl::GetFlag(FLAGS_shutdown_deadline) < absl::ZeroDuration()) {
    return absl::InvalidArgumentError("--shutdown_deadline must not be negative");
  }
  TestServerOptions options;
  options.address = *address;
  absl::StatusOr<std::unique_ptr<TestServer>> server = TestServer::Start(options);
  if (!server.ok()) return server.status();

  // The only line on stdout, ever: scripts read the port from it.
  printf("listening on %s\n", (*server)->address().c_str());
  if (fflush(stdout) != 0) return absl::ErrnoToStatus(errno, "cannot write to stdout");

  int signal;
  sigwait(&signals, &signal);
  (*server)->SetServing(false);
  (*server)->Shutdown(absl::GetFlag(FLAGS_shutdown_deadline));
  return absl::OkStatus();
}

}  // namespace
}  // namespace predial

int main(int argc, char** argv) {
  return predial::RunProgram(argc, argv, "a server of gRPC's interop cases", {SIGTERM, SIGINT},
                             predial::Run);
}
