// AcceptRelay: a TCP balancer as there are behind one address: passes each connection that it
// accepts on to one of several servers, for that connection's life.
//
// Threads: thread-safe; it runs on a thread of its own.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include "plugin/io/unique_fd.h"

namespace predial {

class AcceptRelay {
 public:
  // `balance` gives the address ("127.0.0.1:41167") for connection number n = 0, 1, …; called on
  // the relay's thread. Listens on a port of the kernel's choice on 127.0.0.1.
  explicit AcceptRelay(std::function<std::string(int)> balance);
  ~AcceptRelay();

  std::string target() const { return "ipv4:" + address_; }
  // Connections accepted so far.
  int accepted() const { return accepted_.load(); }

 private:
  void Run();
  void Accept();
  // Passes on what there is to read, or closes both ends.
  void Pump(int fd);

  const std::function<std::string(int)> balance_;
  const UniqueFd listener_;
  const UniqueFd stop_;  // an eventfd
  const std::string address_;
  std::atomic<int> accepted_{0};

  // Of the relay's thread.
  std::map<int, UniqueFd> ends_;  // both of each connection
  std::map<int, int> other_end_;

  std::thread thread_;
};

}  // namespace predial
