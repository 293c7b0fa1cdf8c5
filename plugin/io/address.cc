#include "plugin/io/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace predial {
namespace {

constexpr size_t kUnixPathAt = offsetof(sockaddr_un, sun_path);
// A path needs a zero after it, an abstract name one before it.
constexpr size_t kUnixPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;

absl::Status Error(absl::string_view text, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("address \"", absl::CHexEscape(text), "\": ", what));
}

size_t SizeMin(int family) {
  switch (family) {
    case AF_INET:
      return sizeof(sockaddr_in);
    case AF_INET6:
      return sizeof(sockaddr_in6);
    default:
      return sizeof(sa_family_t);
  }
}

// Escapes what a gRPC target would take for something else.
std::string PercentEncode(absl::string_view path) {
  std::string encoded;
  for (char c : path) {
    if (absl::ascii_isgraph(c) && c != '%' && c != '?' && c != '#') {
      encoded += c;
    } else {
      encoded += '%';
      encoded += absl::BytesToHexString(absl::string_view(&c, 1));
    }
  }
  return encoded;
}

bool ParseNumber(absl::string_view text, uint32_t* number) {
  return text.find_first_not_of("0123456789") == absl::string_view::npos &&
         absl::SimpleAtoi(text, number);
}

bool ParsePort(absl::string_view text, in_port_t* port) {
  uint32_t number;
  if (!ParseNumber(text, &number) || number > 65535) return false;
  *port = htons(static_cast<in_port_t>(number));
  return true;
}

bool ParseScope(absl::string_view text, uint32_t* scope) {
  if (!ParseNumber(text, scope)) *scope = if_nametoindex(std::string(text).c_str());
  return *scope != 0;
}

}  // namespace

Address::Address(const sockaddr* address, socklen_t size) : size_(size) {
  if (size > sizeof(storage_) || size < sizeof(sa_family_t) || size < SizeMin(address->sa_family)) {
    std::fprintf(stderr, "Address: %u bytes are no socket address of its family\n",
                 static_cast<unsigned>(size));
    std::abort();
  }
  std::memcpy(&storage_, address, size);
  // What the kernel and libraries leave different for one and the same place.
  if (family() == AF_INET) {
    auto* ipv4 = reinterpret_cast<sockaddr_in*>(&storage_);
    std::memset(ipv4->sin_zero, 0, sizeof(ipv4->sin_zero));
  } else if (family() == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&storage_)->sin6_flowinfo = 0;
  } else if (family() == AF_UNIX && size_ > kUnixPathAt) {
    auto* path = reinterpret_cast<sockaddr_un*>(&storage_)->sun_path;
    if (path[0] == '\0') return;  // abstract: every byte counts
    const size_t length = strnlen(path, size_ - kUnixPathAt);
    std::memset(path + length, 0, sizeof(storage_) - kUnixPathAt - length);
    size_ = kUnixPathAt + length + 1;
  }
}

absl::StatusOr<Address> Address::Parse(absl::string_view text) {
  Address address;
  absl::string_view path = text;
  const bool abstract = absl::ConsumePrefix(&path, "unix-abstract:");
  if (abstract || absl::ConsumePrefix(&path, "unix:")) {
    if (path.empty()) return Error(text, "the path is missing");
    if (path.size() > kUnixPathBytesMax) {
      return Error(text, absl::StrCat("a path of ", path.size(), " bytes; at most ",
                                      kUnixPathBytesMax, " are possible"));
    }
    if (!abstract && absl::StrContains(path, '\0')) return Error(text, "a zero byte in the path");
    auto* unix_address = reinterpret_cast<sockaddr_un*>(&address.storage_);
    unix_address->sun_family = AF_UNIX;
    std::memcpy(unix_address->sun_path + (abstract ? 1 : 0), path.data(), path.size());
    address.size_ = kUnixPathAt + path.size() + 1;
    return address;
  }

  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Error(text, "the port is missing");
  absl::string_view host = text.substr(0, colon);
  in_port_t port;
  if (!ParsePort(text.substr(colon + 1), &port)) {
    return Error(text, "the port is not a number from 0 to 65535");
  }
  if (absl::StrContains(host, '\0')) return Error(text, "a zero byte in the host");

  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]")) return Error(text, "the ']' is missing");
    auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&address.storage_);
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = port;
    const size_t percent = host.find('%');
    if (percent != absl::string_view::npos &&
        !ParseScope(host.substr(percent + 1), &ipv6->sin6_scope_id)) {
      return Error(text, "there is no such network interface");
    }
    if (inet_pton(AF_INET6, std::string(host.substr(0, percent)).c_str(), &ipv6->sin6_addr) != 1) {
      return Error(text, "not an IPv6 address");
    }
    address.size_ = sizeof(sockaddr_in6);
    return address;
  }
  auto* ipv4 = reinterpret_cast<sockaddr_in*>(&address.storage_);
  ipv4->sin_family = AF_INET;
  ipv4->sin_port = port;
  if (inet_pton(AF_INET, std::string(host).c_str(), &ipv4->sin_addr) != 1) {
    return Error(text, "not an IPv4 address (an IPv6 address stands in brackets)");
  }
  address.size_ = sizeof(sockaddr_in);
  return address;
}

std::string Address::ToString() const {
  char text[INET6_ADDRSTRLEN];
  switch (family()) {
    case AF_INET: {
      const auto* ipv4 = reinterpret_cast<const sockaddr_in*>(&storage_);
      inet_ntop(AF_INET, &ipv4->sin_addr, text, sizeof(text));
      return absl::StrCat(text, ":", ntohs(ipv4->sin_port));
    }
    case AF_INET6: {
      const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(&storage_);
      inet_ntop(AF_INET6, &ipv6->sin6_addr, text, sizeof(text));
      const uint32_t scope = ipv6->sin6_scope_id;
      return absl::StrCat("[", text, scope != 0 ? absl::StrCat("%", scope) : "",
                          "]:", ntohs(ipv6->sin6_port));
    }
    case AF_UNIX: {
      if (size_ <= kUnixPathAt) return "unix:";
      const char* path = reinterpret_cast<const sockaddr_un*>(&storage_)->sun_path;
      const size_t length = size_ - kUnixPathAt - 1;
      return path[0] == '\0' ? absl::StrCat("unix-abstract:", absl::string_view(path + 1, length))
                             : absl::StrCat("unix:", absl::string_view(path, length));
    }
    default:
      return absl::StrCat("family ", family());
  }
}

std::string Address::ToGrpcTarget() const {
  const std::string text = ToString();
  if (family() == AF_UNIX) {
    const size_t path = text.find(':') + 1;
    return absl::StrCat(text.substr(0, path), PercentEncode(text.substr(path)));
  }
  return absl::StrCat(family() == AF_INET6 ? "ipv6:" : "ipv4:", PercentEncode(text));
}

std::string ToGrpcTarget(const std::vector<Address>& addresses) {
  if (addresses.size() == 1) return addresses[0].ToGrpcTarget();
  // A target has one scheme; IPv4 addresses have a form as IPv6 ones (RFC 4291 section 2.5.5.2).
  std::vector<std::string> items;
  for (auto address = addresses.rbegin(); address != addresses.rend(); ++address) {
    std::string text = address->ToString();
    if (address->family() == AF_INET) {
      const size_t colon = text.find(':');
      text = absl::StrCat("[::ffff:", text.substr(0, colon), "]", text.substr(colon));
    }
    items.push_back(PercentEncode(text));
  }
  return absl::StrCat("ipv6:", absl::StrJoin(items, ","));
}

bool operator==(const Address& a, const Address& b) {
  return a.size_ == b.size_ && std::memcmp(&a.storage_, &b.storage_, a.size_) == 0;
}

}  // namespace predial
