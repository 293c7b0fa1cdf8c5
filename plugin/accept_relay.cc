#include "plugin/accept_relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <iterator>
#include <utility>
#include <vector>

#include "plugin/io/address.h"
#include "plugin/io/io_test_util.h"

namespace predial {

AcceptRelay::AcceptRelay(std::function<std::string(int)> balance)
    : balance_(std::move(balance)),
      listener_(ListenOn("127.0.0.1:0", /*backlog=*/128)),
      stop_(eventfd(0, EFD_CLOEXEC)),
      address_(LocalAddress(listener_.get()).ToString()),
      thread_([this] { Run(); }) {}

AcceptRelay::~AcceptRelay() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void AcceptRelay::Run() {
  for (;;) {
    std::vector<pollfd> watched = {{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const auto& [fd, end] : ends_) watched.push_back({fd, POLLIN, 0});
    poll(watched.data(), watched.size(), /*timeout=*/-1);
    if (watched[0].revents != 0) return;
    for (auto entry = std::next(watched.begin(), 2); entry != watched.end(); ++entry) {
      if (entry->revents != 0) Pump(entry->fd);
    }
    if (watched[1].revents != 0) Accept();
  }
}

void AcceptRelay::Accept() {
  UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client.valid()) return;
  UniqueFd server = ConnectTo(*Address::Parse(balance_(accepted_.fetch_add(1))));
  for (const UniqueFd* end : {&client, &server}) {
    const int on = 1;
    setsockopt(end->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  other_end_[client.get()] = server.get();
  other_end_[server.get()] = client.get();
  const int client_fd = client.get();
  const int server_fd = server.get();
  ends_[client_fd] = std::move(client);
  ends_[server_fd] = std::move(server);
}

void AcceptRelay::Pump(int fd) {
  const auto other = other_end_.find(fd);
  if (other == other_end_.end()) return;  // closed a moment ago, with its other end
  const int to = other->second;
  char bytes[16384];
  const ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  // The tests' messages are far smaller than a socket's buffer.
  if (size > 0 && send(to, bytes, size, MSG_NOSIGNAL) == size) return;
  if (size < 0 && errno == EAGAIN) return;
  for (const int end : {fd, to}) {
    other_end_.erase(end);
    ends_.erase(end);
  }
}

}  // namespace predial
