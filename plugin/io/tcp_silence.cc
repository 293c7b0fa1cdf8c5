#include "plugin/io/tcp_silence.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace predial {

TcpSilence ReadTcpSilence(const UniqueFd& socket) {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  if (getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
  TcpSilence silence;
  silence.since_received = std::chrono::milliseconds(info.tcpi_last_data_recv);
  silence.stalled = info.tcpi_unacked > 0 && info.tcpi_retransmits > 0;
  return silence;
}

}  // namespace predial
