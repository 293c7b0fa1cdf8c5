// TestServer: a real gRPC server with TestService and the standard health service.
//
// Threads: thread-safe.
#pragma once

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "interop_tests/peers/test_service.h"

namespace predial {

struct TestServerOptions {
  // "127.0.0.1:0", "[::1]:50051", "unix:/path"; port 0 is any free one. A port that another socket
  // listens on is an error, never shared; an existing unix socket is replaced.
  std::string address = "127.0.0.1:0";

  TestServiceFaults faults;

  // Served besides. Not owned; have to outlive the server.
  std::vector<grpc::Service*> other_services;
};

class TestServer {
 public:
  // Starts to serve. UNAVAILABLE names the address if it cannot be listened on. Calls the
  // process-wide grpc::EnableDefaultHealthCheckService(true).
  static absl::StatusOr<std::unique_ptr<TestServer>> Start(const TestServerOptions& options = {});

  // Shutdown(absl::ZeroDuration()).
  ~TestServer();

  // As a target: "127.0.0.1:41167", "unix:/path".
  const std::string& address() const { return address_; }
  const TestService& service() const { return service_; }

  // What the health service says from now on. RPCs are still answered.
  void SetServing(bool serving);

  // GOAWAY to all clients; returns when all RPCs have ended, and cancels those that have not by the
  // time `deadline_in` is over. Later calls return at once.
  void Shutdown(absl::Duration deadline_in);

 private:
  explicit TestServer(const TestServiceFaults& faults) : service_(faults) {}

  TestService service_;
  int port_ = 0;
  std::string address_;                   // const after Start()
  std::unique_ptr<grpc::Server> server_;  // destroyed before service_
};

}  // namespace predial
