#include "interop_tests/peers/test_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace predial {
namespace {

// Once: gRPC keeps it in a plain variable.
void EnableHealthService() {
  static const bool enabled = [] {
    grpc::EnableDefaultHealthCheckService(true);
    return true;
  }();
  (void)enabled;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TestServer>> TestServer::Start(const TestServerOptions& options) {
  EnableHealthService();
  std::unique_ptr<TestServer> server(new TestServer(options.faults));
  const bool is_unix = absl::StartsWith(options.address, "unix");
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options.address, grpc::InsecureServerCredentials(),
                           is_unix ? nullptr : &server->port_);
  builder.RegisterService(&server->service_);
  for (grpc::Service* service : options.other_services) builder.RegisterService(service);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  server->server_ = builder.BuildAndStart();
  if (server->server_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.address,
                     ": it is taken, or no address of this host (gRPC's log has the cause); choose "
                     "a free port, or 0 for any"));
  }
  server->address_ = options.address;
  if (!is_unix) {
    server->address_ =
        absl::StrCat(options.address.substr(0, options.address.rfind(':') + 1), server->port_);
  }
  server->server_->GetHealthCheckService()->SetServingStatus(
      grpc::testing::TestService::service_full_name(), true);
  return server;
}

TestServer::~TestServer() {
  if (server_ != nullptr) Shutdown(absl::ZeroDuration());
}

void TestServer::SetServing(bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(serving);
}

void TestServer::Shutdown(absl::Duration deadline_in) {
  server_->Shutdown(absl::ToChronoTime(absl::Now() + deadline_in));
}

}  // namespace predial
