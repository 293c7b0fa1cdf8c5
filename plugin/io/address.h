// Address: one socket address, IPv4, IPv6 or unix. A value.
#pragma once

#include <sys/socket.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace predial {

class Address {
 public:
  // From what getaddrinfo(3), accept(2) or getsockname(2) give.
  Address(const sockaddr* address, socklen_t size);

  // "1.2.3.4:50051", "[::1]:50051", "unix:/path", "unix-abstract:name". INVALID_ARGUMENT says what
  // is wrong. Names are not looked up: that is the resolver's work.
  static absl::StatusOr<Address> Parse(absl::string_view text);

  int family() const { return storage_.ss_family; }
  const sockaddr* sockaddr_ptr() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }

  // As Parse() takes it.
  std::string ToString() const;
  // The target that makes an ordinary gRPC channel go to this address: "ipv4:1.2.3.4:50051".
  std::string ToGrpcTarget() const;

  friend bool operator==(const Address& a, const Address& b);
  friend bool operator!=(const Address& a, const Address& b) { return !(a == b); }

 private:
  sockaddr_storage storage_ = {};
  socklen_t size_ = 0;
};

}  // namespace predial
