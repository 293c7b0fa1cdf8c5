#include "examples/echo/echo_server_lib.h"

#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "grpcpp/ext/health_check_service_server_builder_option.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server_builder.h"

namespace predial {
namespace {

// The largest message that EchoService sends, with room for its other fields.
constexpr int kMessageBytesMax = 65 << 20;

absl::Status CheckAge(absl::string_view field, absl::Duration age) {
  const absl::Duration max = absl::Hours(24 * 24);  // gRPC counts in milliseconds, as an int
  if (age == absl::InfiniteDuration() || (age >= absl::Milliseconds(1) && age <= max)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", absl::FormatDuration(age),
                                                 "; it must be within [1ms, 576h], or inf"));
}

int MillisecondsOrMax(absl::Duration duration) {
  return duration == absl::InfiniteDuration()
             ? std::numeric_limits<int>::max()  // gRPC's "never"
             : static_cast<int>(absl::ToInt64Milliseconds(duration));
}

// Once: gRPC keeps it in a plain variable.
void EnableHealthService() {
  static const bool enabled = [] {
    grpc::EnableDefaultHealthCheckService(true);
    return true;
  }();
  (void)enabled;
}

}  // namespace

absl::Status EchoServerOptions::Validate() const {
  absl::Status status = CheckAge("max_connection_age", max_connection_age);
  status.Update(CheckAge("max_connection_age_grace", max_connection_age_grace));
  if (max_concurrent_streams < 0) {
    status.Update(absl::InvalidArgumentError(absl::StrCat(
        "max_concurrent_streams is ", max_concurrent_streams, "; it must be within [0, 2^31)")));
  }
  return status;
}

absl::StatusOr<std::unique_ptr<EchoServer>> EchoServer::Start(const EchoServerOptions& options) {
  const absl::Status valid = options.Validate();
  if (!valid.ok()) return valid;

  std::unique_ptr<EchoServer> echo(new EchoServer);
  echo->service_.set_on_unary(options.on_unary);
  const bool is_unix = absl::StartsWith(options.address, "unix");
  grpc::ServerBuilder builder;
  builder.AddListeningPort(options.address, options.credentials,
                           is_unix ? nullptr : echo->service_.selected_port());
  builder.RegisterService(&echo->service_);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                             MillisecondsOrMax(options.max_connection_age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             MillisecondsOrMax(options.max_connection_age_grace));
  if (options.max_concurrent_streams > 0) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.max_concurrent_streams);
  }
  if (options.health) {
    EnableHealthService();
  } else {
    // Explicitly none, whatever the process-wide default is.
    builder.SetOption(std::make_unique<grpc::HealthCheckServiceServerBuilderOption>(nullptr));
  }
  echo->server_ = builder.BuildAndStart();
  if (echo->server_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", options.address,
                     ": it is taken, or no address of this host (gRPC's log has the cause); choose "
                     "a free port, or 0 for any"));
  }
  echo->address_ = options.address;
  if (!is_unix) {
    echo->port_ = *echo->service_.selected_port();
    echo->address_ =
        absl::StrCat(options.address.substr(0, options.address.rfind(':') + 1), echo->port_);
  }
  if (options.health) {
    echo->server_->GetHealthCheckService()->SetServingStatus(echo::v1::Echo::service_full_name(),
                                                             true);
  }
  return echo;
}

EchoServer::~EchoServer() {
  if (server_ != nullptr) Shutdown(absl::ZeroDuration());
}

void EchoServer::SetServing(bool serving) {
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  if (health != nullptr) health->SetServingStatus(serving);
}

void EchoServer::Shutdown(absl::Duration deadline_in) {
  server_->Shutdown(absl::ToChronoTime(absl::Now() + deadline_in));
}

}  // namespace predial
