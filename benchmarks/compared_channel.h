// The kinds of channel that the benchmarks compare, made and connected.
#pragma once

#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace predial {

// What `kind` may be, for a flag's help and for errors.
inline constexpr char kComparedKinds[] =
    "plain (grpc::CreateChannel), plain_interceptor (with a do-nothing interceptor), raw_fd (a "
    "channel over one connected socket), raw_fd_interceptor, naive (NaivePool, 4 connections), "
    "pooled "
    "(PooledChannel), or pooled_metrics (with the Prometheus observer)";

// A connected channel to "host:port", an IPv4 literal; except for raw_fd, "ipv4:host:port,…" with
// several addresses is possible. Everything has its defaults: nothing is
// turned off for the benchmark. A pool has all of its connections_min members when this returns.
//
// INVALID_ARGUMENT: `kind` or `address`, or a kind that is plaintext only, with other credentials.
// DEADLINE_EXCEEDED: no connection within 30 s.
absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreateComparedChannel(
    absl::string_view kind, const std::string& address,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials =
        grpc::InsecureChannelCredentials());

}  // namespace predial
