#include "plugin/io/socket_options.h"

#include <arpa/inet.h>
#include <net/if.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace predial {
namespace {

// TCP_CA_NAME_MAX of linux/tcp.h, which cannot be included beside netinet/tcp.h.
constexpr size_t kCongestionControlBytes = 16;

absl::Status Error(absl::string_view field, absl::string_view value, absl::string_view want) {
  return absl::InvalidArgumentError(
      absl::StrCat("SocketOptions::", field, " is ", value, "; it must be ", want));
}

absl::Status CheckDuration(absl::string_view field, absl::Duration value, absl::Duration min,
                           absl::Duration max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return Error(field, absl::FormatDuration(value),
               absl::StrCat("from ", absl::FormatDuration(min), " to ", absl::FormatDuration(max)));
}

absl::Status CheckWholeSeconds(absl::string_view field, absl::Duration value) {
  if (absl::Trunc(value, absl::Seconds(1)) == value && value >= absl::Seconds(1) &&
      value <= absl::Hours(1)) {
    return absl::OkStatus();
  }
  return Error(field, absl::FormatDuration(value), "whole seconds, from 1s to 1h");
}

absl::Status CheckBuffer(absl::string_view field, int bytes) {
  if (bytes == 0 || (bytes >= 4 << 10 && bytes <= 64 << 20)) return absl::OkStatus();
  return Error(field, absl::StrCat(bytes), "0, or from 4096 to 67108864 bytes");
}

// A name that must fit, with its final zero, into `room` bytes.
absl::Status CheckName(absl::string_view field, absl::string_view name, size_t room) {
  if (name.size() < room && name.find('\0') == absl::string_view::npos) return absl::OkStatus();
  return Error(field, absl::StrCat("\"", absl::CHexEscape(name), "\""),
               absl::StrCat("a name of fewer than ", room, " bytes"));
}

}  // namespace

absl::Status SocketOptions::Validate() const {
  in6_addr ignored;  // room for either family
  if (!source_address.empty() && (source_address.find('\0') != std::string::npos ||
                                  (inet_pton(AF_INET, source_address.c_str(), &ignored) != 1 &&
                                   inet_pton(AF_INET6, source_address.c_str(), &ignored) != 1))) {
    return Error("source_address", absl::StrCat("\"", absl::CHexEscape(source_address), "\""),
                 "an IPv4 or IPv6 address without a port, or empty");
  }
  if (dscp < -1 || dscp > 63) {
    return Error("dscp", absl::StrCat(dscp), "from 0 to 63, or -1 for the kernel's default");
  }
  if (keepalive_probes < 1 || keepalive_probes > 127) {
    return Error("keepalive_probes", absl::StrCat(keepalive_probes), "from 1 to 127");
  }
  absl::Status status;
  // 1 ns stands for "more than nothing".
  status.Update(
      CheckDuration("connect_timeout", connect_timeout, absl::Nanoseconds(1), absl::Minutes(10)));
  status.Update(
      CheckDuration("attempt_delay", attempt_delay, absl::Milliseconds(10), absl::Seconds(2)));
  if (user_timeout != absl::ZeroDuration()) {
    status.Update(
        CheckDuration("user_timeout", user_timeout, absl::Milliseconds(1), absl::Hours(1)));
  }
  status.Update(CheckWholeSeconds("keepalive_idle", keepalive_idle));
  status.Update(CheckWholeSeconds("keepalive_interval", keepalive_interval));
  status.Update(CheckName("bind_device", bind_device, IFNAMSIZ));
  status.Update(CheckName("congestion_control", congestion_control, kCongestionControlBytes));
  status.Update(CheckBuffer("send_buffer_bytes", send_buffer_bytes));
  status.Update(CheckBuffer("receive_buffer_bytes", receive_buffer_bytes));
  return status;
}

}  // namespace predial
