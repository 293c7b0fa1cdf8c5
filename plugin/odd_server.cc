#include "plugin/odd_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iterator>
#include <vector>

#include "absl/strings/string_view.h"
#include "plugin/io/io_test_util.h"

namespace predial {
namespace {

constexpr absl::string_view kBadRequest =
    "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
constexpr absl::string_view kNoProtocol = "220 mail.example ESMTP ready\r\n";
// A SETTINGS frame (type 4) of no settings.
constexpr absl::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);
// A TLS record of 122 bytes, of which 6 are here.
constexpr absl::string_view kServerHello("\x16\3\3\0\x7a\2\0\0\x76\3\3", 11);

// All of it: it is far smaller than a socket's buffer.
void Send(int fd, absl::string_view text) { send(fd, text.data(), text.size(), MSG_NOSIGNAL); }

}  // namespace

OddServer::OddServer(Manner manner)
    : manner_(manner),
      listener_(ListenOn("127.0.0.1:0", /*backlog=*/128)),
      stop_(eventfd(0, EFD_CLOEXEC)),
      address_(LocalAddress(listener_.get()).ToString()),
      thread_([this] { Run(); }) {}

OddServer::~OddServer() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void OddServer::Run() {
  std::map<int, UniqueFd> connections;
  for (;;) {
    std::vector<pollfd> watched = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const auto& [fd, connection] : connections) watched.push_back({fd, POLLIN, 0});
    poll(watched.data(), watched.size(), /*timeout=*/-1);
    if (watched[0].revents != 0) return;
    for (auto entry = std::next(watched.begin(), 2); entry != watched.end(); ++entry) {
      if (entry->revents != 0 && OnReadable(entry->fd)) connections.erase(entry->fd);
    }
    if (watched[1].revents == 0) continue;
    UniqueFd accepted(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted.valid()) continue;
    ++accepted_;
    if (OnAccepted(accepted.get())) continue;
    const int fd = accepted.get();
    connections[fd] = std::move(accepted);
  }
}

bool OddServer::OnAccepted(int fd) {
  switch (manner_) {
    case Manner::kGarbage:
      Send(fd, kNoProtocol);
      return false;
    case Manner::kSettingsThenHangs:
      Send(fd, kSettings);
      return false;
    case Manner::kHangsUp:
      return true;
    case Manner::kHttp1:
    case Manner::kSilent:
    case Manner::kTruncatedTls:
      return false;
  }
  return true;
}

bool OddServer::OnReadable(int fd) {
  char bytes[4096];
  if (recv(fd, bytes, sizeof(bytes), 0) <= 0) return true;
  switch (manner_) {
    case Manner::kHttp1:
      Send(fd, kBadRequest);
      return true;
    case Manner::kTruncatedTls:
      Send(fd, kServerHello);
      return true;
    case Manner::kSettingsThenHangs:
      return true;
    case Manner::kGarbage:
    case Manner::kHangsUp:
    case Manner::kSilent:
      return false;
  }
  return true;
}

}  // namespace predial
