// Target: what the user passed to Create, parsed. Pure.
//
//   dns:///host:port  dns:host:port  host:port  dns:///[::1]:port      a name, or a literal
//   ipv4:1.2.3.4:50051,5.6.7.8:50051                                    a list
//   ipv6:[::1]:50051,[::2]:50051
//   unix:path  unix:///absolute/path  unix-abstract:name
//
// Unlike grpc::CreateChannel a missing port is an error here, not 443: plaintext to port 443 is
// never what was meant. Percent-escapes are decoded as gRPC does.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace predial {

struct Target {
  enum class Kind { kDns, kAddresses };

  // As the user wrote it.
  std::string text;
  Kind kind = Kind::kAddresses;

  // kDns: one host and its port (a number or a service name, as getaddrinfo(3) takes it).
  std::string host;
  std::string port;

  // kAddresses: literal addresses as io/address.h parses them ("1.2.3.4:50", "unix:/path").
  std::vector<std::string> addresses;

  // The :authority that grpc::CreateChannel would send by default.
  std::string authority;
};

// INVALID_ARGUMENT names the target, what is wrong with it and the forms that work.
absl::StatusOr<Target> ParseTarget(absl::string_view text);

}  // namespace predial
