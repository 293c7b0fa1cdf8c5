// Address: one socket address, IPv4, IPv6 or unix. A value.
#pragma once

#include <sys/socket.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace predial {

class Address {
 public:
  // From what getaddrinfo(3), accept(2) or getsockname(2) give. Aborts if `size` is more than a
  // sockaddr_storage or less than the family needs. Another family's bytes are kept as they are.
  Address(const sockaddr* address, socklen_t size);

  // "1.2.3.4:50051", "[::1]:50051", "[fe80::1%eth0]:50051", "unix:/path", "unix-abstract:name".
  // INVALID_ARGUMENT says what is wrong. Names are not looked up: that is the resolver's work.
  static absl::StatusOr<Address> Parse(absl::string_view text);

  int family() const { return storage_.ss_family; }
  const sockaddr* sockaddr_ptr() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }

  // As Parse() takes it, but for an unnamed unix socket ("unix:") and other families ("family 40").
  std::string ToString() const;
  // The target that makes an ordinary gRPC channel go to this address: "ipv4:1.2.3.4:50051". Not
  // possible for a unix path with a comma, which gRPC takes for two.
  std::string ToGrpcTarget() const;

  // The same place: flow labels and padding do not count.
  friend bool operator==(const Address& a, const Address& b);
  friend bool operator!=(const Address& a, const Address& b) { return !(a == b); }

 private:
  Address() = default;

  sockaddr_storage storage_ = {};  // zero beyond size_
  socklen_t size_ = 0;
};

// The target that makes an ordinary gRPC channel go to the first of these TCP addresses that can be
// reached, the last one first: of a dual-stack host, which is what has more than one, that is
// usually the IPv4 address. One address: its ToGrpcTarget(). Not empty.
std::string ToGrpcTarget(const std::vector<Address>& addresses);

}  // namespace predial
