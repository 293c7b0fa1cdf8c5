// Contender: one of the ways to reach a server that are compared.
#pragma once

#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/security/credentials.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace predial {

// What `kind` of CreateContender() may be, for a flag's help and for errors.
inline constexpr char kContenderKinds[] =
    "per_call (a channel and a connection for each RPC), plain (grpc::CreateChannel), plain_each "
    "(several in turn that share nothing), naive (NaivePool, 4 connections), raw_fd (a channel "
    "over one connected socket), raw_fds (several in turn, never dialed again), pooled "
    "(PooledChannel with the Prometheus observer), or pooled_adaptive or pooled_least_loaded (the "
    "same with that sizing or picker)";

struct ContenderOptions {
  // Of a pool; 0 is PoolOptions' default. Of plain_each and raw_fds, connections_min says how many
  // they are; 0 is 8.
  int connections_min = 0;
  int connections_max = 0;
  // Whether to wait until all connections are there that it makes by itself.
  bool connected = true;
  // For TLS, of those that can.
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
};

// What to send the next RPC on. Thread-safe.
using Contender = std::function<std::shared_ptr<grpc::ChannelInterface>()>;

// `address` is "host:port" with an IPv4 literal. INVALID_ARGUMENT: `kind` or `address`, or
// credentials for a kind that is plaintext only.
// DEADLINE_EXCEEDED: no connection within 30 s.
absl::StatusOr<Contender> CreateContender(absl::string_view kind, const std::string& address,
                                          const ContenderOptions& options);

}  // namespace predial
