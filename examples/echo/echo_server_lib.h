// EchoServer: a real gRPC server with EchoService and the standard health service, for the demo,
// tests and benchmarks.
//
// Leaving without losing an RPC takes two steps: SetServing(false) tells the clients that watch
// health to go elsewhere ("lame duck"); when they had the time to, Shutdown() sends GOAWAY and lets
// what is in flight finish.
//
// Threads: thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "examples/echo/echo_service.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "proto/echo.pb.h"

namespace predial {

struct EchoServerOptions {
  // "127.0.0.1:0", "[::1]:50051", "unix:/path"; port 0 is any free one. A port that another socket
  // listens on is an error, never shared (no SO_REUSEPORT); an existing unix socket is replaced.
  std::string address = "127.0.0.1:0";

  // Default: plaintext.
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();

  // The server ends each connection with GOAWAY at this age, as gRPC does with a jitter of 10 %,
  // and cuts the RPCs on it off after the grace. Default: never; range [1 ms, 24 d] or infinite.
  absl::Duration max_connection_age = absl::InfiniteDuration();
  absl::Duration max_connection_age_grace = absl::InfiniteDuration();

  // SETTINGS_MAX_CONCURRENT_STREAMS. Default 0: no limit; range [0, 2^31).
  int max_concurrent_streams = 0;

  // Serve grpc.health.v1 for "" and "predial.echo.v1.Echo".
  bool health = true;

  // Called with the request of each Unary RPC as it begins, on gRPC's threads, several at a time;
  // e.g. to record who was served. Default: none.
  std::function<void(const echo::v1::EchoRequest&)> on_unary;

  // INVALID_ARGUMENT names the field, its value and its range.
  absl::Status Validate() const;
};

class EchoServer {
 public:
  // Starts to serve. UNAVAILABLE names the address if it cannot be listened on. Calls the
  // process-wide grpc::EnableDefaultHealthCheckService(true) if options.health is set.
  static absl::StatusOr<std::unique_ptr<EchoServer>> Start(const EchoServerOptions& options = {});

  // Shutdown(absl::ZeroDuration()).
  ~EchoServer();

  // 0 for a unix socket.
  int port() const { return port_; }
  // As a target: "127.0.0.1:41167", "unix:/path".
  const std::string& address() const { return address_; }
  // RPCs of EchoService that have begun so far.
  int64_t rpcs() const { return service_.rpcs(); }

  // What the health service says from now on. Nothing else changes: RPCs are still answered. Does
  // nothing without options.health.
  void SetServing(bool serving);

  // GOAWAY to all clients; returns when all RPCs have ended, and cancels those that have not by the
  // time `deadline_in` is over. A client's open health Watch is such an RPC, and an idle
  // connection keeps it waiting until its client has read the GOAWAY (gRPC's do within 5 s). Later
  // calls return when the first one does.
  void Shutdown(absl::Duration deadline_in);

 private:
  EchoServer() = default;

  EchoService service_;
  std::unique_ptr<grpc::Server> server_;  // destroyed before service_; const after Start()
  int port_ = 0;                          // const after Start()
  std::string address_;                   // const after Start()
};

}  // namespace predial
