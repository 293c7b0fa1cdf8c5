// LinkRelay: a link of some length and width between clients and one server, on loopback: it
// accepts TCP connections on 127.0.0.1 and passes each on to its upstream, as late and as slowly as
// the link would.
//
//   client --> [ receive buffer --> FairLink (queue, rate, delay, stalls) ] --> upstream
//          <-- [ FairLink <-- receive buffer                              ] <--
//
// Rate, queue, stalls: see fair_link.h; options and their ranges: link_options.h; how much is
// buffered: relayed_link.h. A connection that is full is not read, which stops its sender.
// Accuracy:  bytes never arrive early. They are late by what the machine takes to run the thread,
//            and by up to 0.1 ms when others arrived shortly before.
// Handshake: over a real link connect() takes a round trip, and accept() returns half of one later.
//            Here connect() returns at once. Instead, of a connection accepted at t: upstream is
//            dialed at t + delay (when it would see the SYN), what the client sends sets out at t +
//            2 delay (when it would have the answer), and what the server sends at t + 3 delay. If
//            upstream refuses or does not answer, the client is reset, at t + 2 delay at the
//            earliest. For a client that sends as soon as it is connected this is what the real
//            link gives. One that waits by itself after connect() is served too well, by up to 2
//            delay; and a time measured around connect() is wrong. LinkOptions::handshake = false:
//            no part of this.
// Ends:      a FIN follows its bytes, and closes one direction. A RST arrives a delay after it was
//            seen, as a RST; bytes that a stall holds back until later are lost, as with TCP.
// No part of it: congestion control. A window is open as far as relayed_link.h says from the start:
//            what more than ten segments cost on a young connection (slow start), or after a loss,
//            is not seen.
//
// Threads: thread-safe; it runs on a thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmarks/compare/link_options.h"
#include "benchmarks/compare/relayed_connection.h"
#include "benchmarks/compare/relayed_link.h"
#include "plugin/core/types.h"
#include "plugin/io/unique_fd.h"

namespace predial {

class LinkRelay {
 public:
  struct Stats {
    int64_t accepted = 0;    // connections
    int64_t open = 0;        // of those, not yet ended at both ends
    int64_t bytes_up = 0;    // handed to upstream
    int64_t bytes_down = 0;  // handed to clients
    int64_t stalls = 0;      // in both directions
  };

  // `upstream`: "127.0.0.1:50051" or "[::1]:50051". INVALID_ARGUMENT for that or for options that
  // are not valid; another error if the system has no socket or thread for it.
  static absl::StatusOr<std::unique_ptr<LinkRelay>> Start(const std::string& upstream,
                                                          const LinkOptions& options);
  ~LinkRelay() { Stop(); }

  // Closes all connections at once; stats() then says what had passed. Not from several threads at
  // a time.
  void Stop();

  // "127.0.0.1:41167".
  const std::string& address() const { return address_; }

  // Each number is right for itself, or about to be; together they may be of different moments.
  Stats stats() const;

 private:
  LinkRelay(const Address& upstream, const LinkOptions& options, UniqueFd listener);

  void Run();
  void Accept();
  void PauseAccepting(bool pause);
  // Tells the connections what has passed their bottlenecks by now. False if nothing has.
  bool AdvanceLinks(Time now);
  void StepTouched(Time now);
  // Of the touched connections: notes when they are due, and lets go of those that are done.
  void Reschedule();
  void SetTimer();
  void Touch(uint64_t id);

  const UniqueFd epoll_;
  const UniqueFd stop_;   // an eventfd
  const UniqueFd timer_;  // a timerfd
  const UniqueFd listener_;
  const std::string address_;

  std::atomic<int64_t> accepted_{0};
  std::atomic<int64_t> open_{0};
  std::atomic<int64_t> stalls_{0};

  // Of the relay's thread, but for link_'s counters.
  RelayedLink link_;
  struct Entry {
    std::unique_ptr<RelayedConnection> connection;
    Time due = Time::max();  // its place in due_, if not max()
    bool touched = false;
  };
  uint64_t last_id_;
  std::unordered_map<uint64_t, Entry> connections_;
  std::set<std::pair<Time, uint64_t>> due_;
  std::vector<uint64_t> touched_;
  Time timer_ran_;  // when the timer last went off
  Time timer_set_;  // to when; max() is off
  Time accept_again_ = Time::max();

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace predial
