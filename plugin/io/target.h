// Target: what the user passed to Create, parsed. Pure.
//
//   dns:///host:port  dns:host:port  host:port     a name
//   dns:///[::1]:port  1.2.3.4:port                a literal, as if ipv6: or ipv4: stood before it
//   ipv4:1.2.3.4:50051,5.6.7.8:50051               a list
//   ipv6:[::1]:50051,[fe80::1%25eth0]:50051
//   unix:path  unix:///absolute/path  unix-abstract:name
//
// Read as grpc::CreateChannel reads it (grpc/doc/naming.md): percent-escapes are decoded, a scheme
// that is not one is the host of a host:port, lists are split at commas (unix paths too). Unlike
// there, a missing port is an error and not 443 (plaintext to port 443 is never what was meant),
// and so is what gRPC would ignore: a query, a fragment.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace predial {

struct Target {
  enum class Kind { kDns, kAddresses, kWhole };

  // As the user wrote it.
  std::string text;
  Kind kind = Kind::kAddresses;

  // kDns: one host and its port (a number or a service name, as getaddrinfo(3) takes it).
  std::string host;
  std::string port;

  // kAddresses: literal addresses as io/address.h parses them ("1.2.3.4:50", "unix:/path").
  std::vector<std::string> addresses;

  // The :authority that grpc::CreateChannel would send by default. Empty: of kWhole.
  std::string authority;
};

// A target that is left to gRPC as it is. INVALID_ARGUMENT if it is empty.
absl::StatusOr<Target> WholeTarget(absl::string_view text);

// The scheme of a target that ParseTarget() does not know, in "scheme://…" or, of those that
// IsSchemeOfGrpc(), "scheme:…"; else empty.
absl::string_view ForeignScheme(absl::string_view text);
// One that gRPC knows and ParseTarget() does not: its control plane chooses the connections.
bool IsSchemeOfGrpc(absl::string_view scheme);

// INVALID_ARGUMENT names the target, what is wrong with it and the forms that work.
absl::StatusOr<Target> ParseTarget(absl::string_view text);

}  // namespace predial
