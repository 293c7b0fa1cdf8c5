// RelayedConnection: one connection of a LinkRelay: two sockets, and what is on its way between
// them. It moves bytes and ends; when they move, the two FairLinks tell.
//
//   kWaiting --the SYN has come over--> kConnecting --> kOpen --> done()
//                                           | refused: kRefused --the answer has come back-->
//                                           done()
//
// Threads:   of the relay's thread only.
// Ownership: owns both sockets, which it adds to the relay's epoll, edge-triggered, with
// EventData()
//            as their data.
// Errors:    those of a socket end its connection: the other end is reset.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "benchmarks/compare/byte_queue.h"
#include "benchmarks/compare/fair_link.h"
#include "benchmarks/compare/relayed_link.h"
#include "plugin/core/types.h"
#include "plugin/io/unique_fd.h"

namespace predial {

class RelayedConnection {
 public:
  // `client` is a non-blocking socket that was accepted at `now`; `link` outlives the connection.
  RelayedConnection(uint64_t id, UniqueFd client, RelayedLink& link, Time now);
  ~RelayedConnection();
  RelayedConnection(const RelayedConnection&) = delete;
  RelayedConnection& operator=(const RelayedConnection&) = delete;

  static uint64_t EventData(uint64_t id, int end) { return 2 * id + end; }

  // epoll reported `events` for an end. Step() does what follows from it.
  void OnEvents(int end, uint32_t events, Time now);

  // `bytes` have passed the bottleneck, and are due at the other end.
  void OnPassed(int direction, int64_t bytes, Time due);

  // Does all that is due and possible by now. What it reads may pass the bottleneck at once: then
  // there is something for OnPassed().
  void Step(Time now);

  // When Step() has something to do, without further events; Time::max() is never.
  Time next() const;

  // Nothing is left to do.
  bool done() const;

 private:
  enum class Phase { kWaiting, kConnecting, kRefused, kOpen };
  enum class Ending { kNone, kFin, kReset };

  struct End {
    UniqueFd fd;
    bool readable = false;  // until recv() says EAGAIN
    bool writable = false;  // until send() does
    bool failed = false;    // EPOLLERR
  };
  struct Flight {
    int64_t bytes;
    Time due;
  };
  struct Pipe {
    FairLink::Flow flow;
    ByteQueue bytes;                 // arrived, then in flight, then waiting, then held
    int64_t arrived = 0;             // may be written
    std::deque<Flight> flights;      // beyond the bottleneck
    int64_t held = 0;                // until the pipe is open
    std::optional<Time> open_at;     // known once the server has answered
    bool open = false;               // bytes go to the bottleneck
    bool dead = false;               // its far end is gone: takes nothing more
    Ending ending = Ending::kNone;   // what the near end has sent after its bytes
    std::optional<Time> ending_due;  // when that is at the far end
    bool fin_sent = false;           // to the far end
  };

  void Add(int end);
  void StartConnect(Time now);
  void OnConnected(Time now);
  void OnRefused(Time now);

  void Open(int direction, Time now);
  void Deliver(int direction, Time now);
  void DeliverEnding(int direction, Time now);
  void Read(int direction);
  // How many bytes Read() may take.
  int64_t Room(const Pipe& pipe) const;

  // The peer at this end is gone, or as good as that: the other one is to be told.
  void OnReset(int end);
  void Reset(int end);

  const uint64_t id_;
  RelayedLink& link_;
  Phase phase_ = Phase::kWaiting;
  Time phase_ends_;  // of kWaiting and kRefused
  Time stepped_;     // the last Step()
  End ends_[2];
  Pipe pipes_[2];
};

}  // namespace predial
