// OddServer: listens as a gRPC server would, and then does something else. Counts how often it is
// connected to.
//
// Threads: thread-safe; it runs on a thread of its own.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>

#include "plugin/io/unique_fd.h"

namespace predial {

class OddServer {
 public:
  enum class Manner {
    kHttp1,              // answers the first bytes with "HTTP/1.1 400 Bad Request", and closes
    kGarbage,            // says something at once that is no protocol at all, and stays
    kSilent,             // accepts and says nothing; to a TLS client as well
    kHangsUp,            // accepts and closes
    kSettingsThenHangs,  // sends HTTP/2 SETTINGS as a server should, and closes at the first bytes
    kTruncatedTls,       // answers the first bytes with the beginning of a ServerHello, and closes
  };

  // On a port of the kernel's choice on 127.0.0.1.
  explicit OddServer(Manner manner);
  ~OddServer();

  // "127.0.0.1:41167".
  const std::string& address() const { return address_; }
  std::string target() const { return "ipv4:" + address_; }
  // Connections accepted so far.
  int accepted() const { return accepted_.load(); }

 private:
  void Run();
  // Whether the connection is to be closed.
  bool OnAccepted(int fd);
  bool OnReadable(int fd);

  const Manner manner_;
  const UniqueFd listener_;
  const UniqueFd stop_;  // an eventfd
  const std::string address_;
  std::atomic<int> accepted_{0};
  std::thread thread_;
};

}  // namespace predial
