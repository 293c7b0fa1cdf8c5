// SocketOptions: what can be set about the sockets that the TcpDialer makes. A plain struct.
//
// Unix sockets take connect_timeout and the buffer sizes from it; the rest has no meaning for them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace predial {

struct SocketOptions {
  // How long one dial may take, all addresses together. Default 5 s; range (0, 10 min].
  absl::Duration connect_timeout = absl::Seconds(5);

  // How long an address has a head start before the next one is tried beside it (RFC 8305 section
  // 5 recommends 250 ms). Default 250 ms; range [10 ms, 2 s].
  absl::Duration attempt_delay = absl::Milliseconds(250);

  // TCP_NODELAY. Default on: HTTP/2 writes whole frames, Nagle only delays them.
  bool no_delay = true;

  // TCP_USER_TIMEOUT: how long sent data may stay unacknowledged before the kernel ends the
  // connection. Default 20 s, as gRPC's keepalive uses; range 0 (kernel default) or [1 ms, 1 h].
  absl::Duration user_timeout = absl::Seconds(20);

  // SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT. Default on: first probe after 30
  // s of silence, then every 10 s, dead after 3 unanswered. Range of the durations [1 s, 1 h] in
  // whole seconds, of the count [1, 127].
  bool keepalive = true;
  absl::Duration keepalive_idle = absl::Seconds(30);
  absl::Duration keepalive_interval = absl::Seconds(10);
  int keepalive_probes = 3;

  // Local address to dial from, "192.0.2.7" or "2001:db8::7", without a port. Default: the kernel
  // chooses. Addresses of the other family are then not tried.
  std::string source_address;

  // Interface to dial through (SO_BINDTODEVICE; may need CAP_NET_RAW). Default: none.
  std::string bind_device;

  // Differentiated services code point for outgoing packets (IP_TOS / IPV6_TCLASS). Default -1,
  // the kernel's; range [0, 63].
  int dscp = -1;

  // TCP_CONGESTION, e.g. "bbr"; an algorithm that the kernel lacks fails the dial with its name.
  // Default: the system's.
  std::string congestion_control;

  // Multipath TCP, with a silent fall-back to TCP where the peer lacks it, or this kernel lacks it
  // or one of the options set here for it (dscp over IPv6). user_timeout is not applied to it:
  // Linux cannot.
  bool multipath = false;

  // SO_SNDBUF and SO_RCVBUF in bytes. Default 0, the kernel's auto-tuning; range [4 KiB, 64 MiB].
  int send_buffer_bytes = 0;
  int receive_buffer_bytes = 0;

  // INVALID_ARGUMENT names the field, its value and its range.
  absl::Status Validate() const;
};

}  // namespace predial
