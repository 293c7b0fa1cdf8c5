// How a pool's members are made: over descriptors, or as ordinary channels. Chosen once, from what
// the channel is created with. Pure.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "plugin/options.h"

namespace predial {

struct MemberMode {
  // Members are ordinary channels: see PoolOptions::Mode::kManaged.
  bool managed = false;
  // gRPC resolves and balances the target inside each member; Predial dials nothing.
  bool whole_target = false;
  // A service config may say when gRPC is to send RPCs again.
  bool service_config = false;
  // The credentials are other than insecure: what servers say cannot be looked at.
  bool secure = false;
  // Why, for logs and PoolStats.
  std::string reason;

  const char* name() const { return managed ? "managed" : "fd"; }
};

// Says, in the log too, that pre-dialed sockets are of no use, and why.
std::string AdoptionWarning(const std::string& target, absl::string_view reason);

// INVALID_ARGUMENT: `wanted` is kFd, but something given needs an ordinary channel; names it.
absl::StatusOr<MemberMode> ChooseMode(PoolOptions::Mode wanted, absl::string_view target,
                                      const grpc::ChannelCredentials& credentials,
                                      const grpc::ChannelArguments& args);

}  // namespace predial
