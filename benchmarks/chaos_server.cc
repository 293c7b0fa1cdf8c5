// An echo server for chaos.sh that records whom it served: `chaos_server --record=FILE` appends the
// message of each unary RPC, a line each, with one write(2) before the RPC is answered. So a
// kill -9 loses none, and several servers may share a file. Prints `listening on ADDRESS`; SIGTERM
// makes it leave: NOT_SERVING for --lame_duck (0: straight into Shutdown()), then GOAWAY.
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/echo/echo_server_lib.h"
#include "examples/echo/program.h"
#include "plugin/io/unique_fd.h"
#include "proto/echo.pb.h"

ABSL_FLAG(int, port, 0, "TCP port of 127.0.0.1 to listen on; 0 is any free one");
ABSL_FLAG(std::string, record, "", "file to append the messages of unary RPCs to");
ABSL_FLAG(absl::Duration, lame_duck, absl::ZeroDuration(),
          "how long to say NOT_SERVING, and still serve, before shutting down");
ABSL_FLAG(absl::Duration, shutdown_deadline, absl::Seconds(2),
          "how long RPCs in flight may take to finish once shutting down");
ABSL_FLAG(absl::Duration, max_connection_age, absl::InfiniteDuration(),
          "end each connection at this age");

namespace predial {
namespace {

absl::Status Run(const sigset_t& signals) {
  const std::string path = absl::GetFlag(FLAGS_record);
  if (path.empty()) return absl::InvalidArgumentError("--record is missing");
  const int port = absl::GetFlag(FLAGS_port);
  if (port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("--port is ", port, "; it must be within [0, 65535]"));
  }
  const UniqueFd record(open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (record.get() < 0) return absl::ErrnoToStatus(errno, path);

  EchoServerOptions options;
  options.address = absl::StrCat("127.0.0.1:", port);
  options.max_connection_age = absl::GetFlag(FLAGS_max_connection_age);
  options.on_unary = [&record](const echo::v1::EchoRequest& request) {
    const std::string line = absl::StrCat(request.message(), "\n");
    if (write(record.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      std::perror("chaos_server: --record");
      std::abort();  // a count of duplicates without this line would be wrong
    }
  };
  absl::StatusOr<std::unique_ptr<EchoServer>> server = EchoServer::Start(options);
  if (!server.ok()) return server.status();
  printf("listening on %s\n", (*server)->address().c_str());
  if (fflush(stdout) != 0) return absl::ErrnoToStatus(errno, "cannot write to stdout");

  int signal;
  sigwait(&signals, &signal);
  if (absl::GetFlag(FLAGS_lame_duck) > absl::ZeroDuration()) {
    (*server)->SetServing(false);
    const timespec lame_duck = absl::ToTimespec(absl::GetFlag(FLAGS_lame_duck));
    sigtimedwait(&signals, nullptr, &lame_duck);
  }
  (*server)->Shutdown(absl::GetFlag(FLAGS_shutdown_deadline));
  return absl::OkStatus();
}

}  // namespace
}  // namespace predial

int main(int argc, char** argv) {
  return predial::RunProgram(argc, argv, "an echo server that records the messages it has seen",
                             {SIGTERM, SIGINT}, predial::Run);
}
