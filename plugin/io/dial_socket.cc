#include "plugin/io/dial_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/io/dialer.h"

namespace predial {
namespace {

// Of linux/in.h, for C libraries that do not have it.
constexpr int kProtocolMptcp = 262;

std::string ErrnoText(int error) {
  return absl::StrCat(std::generic_category().message(error), " (errno ", error, ")");
}

std::string NoFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return "";
  return absl::StrCat("; RLIMIT_NOFILE is ", limit.rlim_cur,
                      ": raise it, or lower the number of connections");
}

bool IsIp(const Address& peer) { return peer.family() == AF_INET || peer.family() == AF_INET6; }

// Sets options one after the other and keeps the first error.
class OptionSetter {
 public:
  OptionSetter(int fd, const Address& peer) : fd_(fd), peer_(peer) {}

  void Set(int level, int option, int value, absl::string_view name) {
    Set(level, option, &value, sizeof(value), name, absl::StrCat(value));
  }
  void Set(int level, int option, const std::string& value, absl::string_view name) {
    Set(level, option, value.c_str(), value.size() + 1, name, absl::StrCat("\"", value, "\""));
  }
  void Fail(int error, absl::string_view name, absl::string_view value) {
    if (!status_.ok()) return;
    const bool local_limit = error == ENOMEM || error == ENOBUFS || error == EADDRINUSE;
    status_ = DialError(local_limit ? DialResult::kLocalLimit : DialResult::kError,
                        absl::StrCat(peer_.ToString(), ": SocketOptions::", name, " ", value, ": ",
                                     ErrnoText(error)));
  }
  const absl::Status& status() const { return status_; }

 private:
  void Set(int level, int option, const void* value, socklen_t size, absl::string_view name,
           absl::string_view text) {
    if (status_.ok() && setsockopt(fd_, level, option, value, size) != 0) Fail(errno, name, text);
  }

  const int fd_;
  const Address& peer_;
  absl::Status status_;
};

void SetIpOptions(int fd, const SocketOptions& options, const Address& peer, OptionSetter& setter) {
  if (options.dscp >= 0) {
    // The field's other two bits are congestion notification, the kernel's own.
    const int field = options.dscp << 2;
    if (peer.family() == AF_INET6) setter.Set(IPPROTO_IPV6, IPV6_TCLASS, field, "dscp");
    // An IPv6 socket needs it for mapped IPv4 addresses.
    setter.Set(IPPROTO_IP, IP_TOS, field, "dscp");
  }
  if (!options.bind_device.empty()) {
    setter.Set(SOL_SOCKET, SO_BINDTODEVICE, options.bind_device, "bind_device");
  }
  if (!options.source_address.empty()) {
    // Lets connect() choose the port, so that one port can serve many destinations. Where it is not
    // supported, bind() chooses it: that works too.
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    const bool ipv6 = peer.family() == AF_INET6;
    const auto source = Address::Parse(ipv6 ? absl::StrCat("[", options.source_address, "]:0")
                                            : absl::StrCat(options.source_address, ":0"));
    if (!source.ok()) {
      setter.Fail(EAFNOSUPPORT, "source_address", options.source_address);
    } else if (bind(fd, source->sockaddr_ptr(), source->size()) != 0) {
      setter.Fail(errno, "source_address", options.source_address);
    }
  }
}

void SetTcpOptions(int fd, const SocketOptions& options, int protocol, OptionSetter& setter) {
  if (options.no_delay) setter.Set(IPPROTO_TCP, TCP_NODELAY, 1, "no_delay");
  // No kernel up to 6.18 has it for MPTCP.
  if (options.user_timeout > absl::ZeroDuration() && protocol != kProtocolMptcp) {
    setter.Set(IPPROTO_TCP, TCP_USER_TIMEOUT,
               static_cast<int>(absl::ToInt64Milliseconds(options.user_timeout)), "user_timeout");
  }
  if (options.keepalive) {
    setter.Set(SOL_SOCKET, SO_KEEPALIVE, 1, "keepalive");
    setter.Set(IPPROTO_TCP, TCP_KEEPIDLE,
               static_cast<int>(absl::ToInt64Seconds(options.keepalive_idle)), "keepalive_idle");
    setter.Set(IPPROTO_TCP, TCP_KEEPINTVL,
               static_cast<int>(absl::ToInt64Seconds(options.keepalive_interval)),
               "keepalive_interval");
    setter.Set(IPPROTO_TCP, TCP_KEEPCNT, options.keepalive_probes, "keepalive_probes");
  }
  if (!options.congestion_control.empty()) {
    setter.Set(IPPROTO_TCP, TCP_CONGESTION, options.congestion_control, "congestion_control");
    // An MPTCP socket takes any name, and ignores those it does not know (Linux 6.18).
    char actual[64] = {};
    socklen_t size = sizeof(actual) - 1;
    if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, actual, &size) != 0 ||
        options.congestion_control != actual) {
      setter.Fail(ENOENT, "congestion_control",
                  absl::StrCat("\"", options.congestion_control, "\""));
    }
  }
}

absl::StatusOr<UniqueFd> Open(const SocketOptions& options, const Address& peer, int protocol) {
  UniqueFd fd(socket(peer.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) return DialErrnoError(peer, "socket", errno);
  OptionSetter setter(fd.get(), peer);
  if (options.send_buffer_bytes > 0) {
    setter.Set(SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes, "send_buffer_bytes");
  }
  if (options.receive_buffer_bytes > 0) {
    setter.Set(SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes, "receive_buffer_bytes");
  }
  if (IsIp(peer)) {
    SetTcpOptions(fd.get(), options, protocol, setter);
    SetIpOptions(fd.get(), options, peer, setter);
  }
  if (!setter.status().ok()) return setter.status();
  return fd;
}

}  // namespace

absl::StatusOr<UniqueFd> OpenDialSocket(const SocketOptions& options, const Address& peer) {
  if (options.multipath && IsIp(peer)) {
    // Kernels without MPTCP refuse the socket; those with it refuse some options, such as
    // IPV6_TCLASS.
    absl::StatusOr<UniqueFd> fd = Open(options, peer, kProtocolMptcp);
    if (fd.ok()) return fd;
  }
  return Open(options, peer, 0);
}

absl::Status DialErrnoError(const Address& peer, absl::string_view call, int error) {
  DialResult result = DialResult::kError;
  std::string advice;
  switch (error) {
    case ECONNREFUSED:
      result = DialResult::kRefused;
      break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENOENT:
    case EAFNOSUPPORT:
      result = DialResult::kUnreachable;
      break;
    case ETIMEDOUT:
      result = DialResult::kTimeout;
      break;
    case EMFILE:
      result = DialResult::kLocalLimit;
      advice = NoFileLimit();
      break;
    case ENFILE:
      result = DialResult::kLocalLimit;
      advice = "; the whole system's limit, fs.file-max";
      break;
    case EADDRNOTAVAIL:
      if (peer.family() == AF_INET6) {
        // Far more often than for want of a port.
        result = DialResult::kUnreachable;
        advice = "; this host has no IPv6 address to dial from, or no free port";
      } else {
        result = DialResult::kLocalLimit;
        advice = "; no free local port to this destination, see net.ipv4.ip_local_port_range";
      }
      break;
    case EAGAIN:
    case ENOMEM:
    case ENOBUFS:
      result = DialResult::kLocalLimit;
      break;
    default:
      break;
  }
  return DialError(result,
                   absl::StrCat(peer.ToString(), ": ", call, ": ", ErrnoText(error), advice));
}

}  // namespace predial
