// Edge: one thing that a server may do on the wire, the RPC that it does it to, and what becomes of
// the RPC over an ordinary channel and over a pool. All of them: edges.h.
//
// Sources: RFC 9113 for what is allowed; gRPC's PROTOCOL-HTTP2.md and http-grpc-status-mapping.md
//          for what an RPC ends with. Where gRPC does otherwise, gRPC's ordinary channel is what
//          the pool is measured by.
// Threads: values; immutable once made.
#pragma once

#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <vector>

#include "plugin/testing/script.h"

namespace predial {

enum class EdgeCall {
  kUnary,
  kServerStream,
  kBidiStream,         // one message written; the client leaves its side open
  kUnaryKilobyte,      // the request has 1 KiB
  kUnaryMetadata,      // the request has 4 KiB of metadata
  kUnaryBriefly,       // a deadline of 300 ms
  kBesideStreams,      // unary, a deadline of 300 ms, three streams are open and have seen `midway`
  kAfterStreams,       // unary, without that deadline: the streams end while it waits
  kTwoUntilLimitRises  // two unary, the same, and `midway_end` comes while they wait
};
constexpr int kOpenStreams = 3;

// Gates (Step::AwaitGate) that the calls to a stream open when they have read that much.
constexpr int kHeadersRead = 1;
constexpr int kMessageRead = 2;
constexpr int kThreeMessagesRead = 3;
// Opened by a timer, a second after the server has begun to listen.
constexpr int kASecondLater = 4;

struct EdgeOutcome {
  grpc::StatusCode code;
  int messages = 0;  // that the caller got
  int seen = 1;      // how often the RPC came to the server
  // Whether RPCs succeed again soon after it, and then all.
  bool next = true;

  friend bool operator==(const EdgeOutcome& a, const EdgeOutcome& b) {
    return a.code == b.code && a.messages == b.messages && a.seen == b.seen && a.next == b.next;
  }
  friend bool operator!=(const EdgeOutcome& a, const EdgeOutcome& b) { return !(a == b); }
};

struct Edge {
  std::string section;  // of the table
  std::string what;     // the server does
  std::string stage;    // when; empty: the one time that there is
  EdgeCall call = EdgeCall::kUnary;
  Reply reply;           // to the RPC
  bool for_all = false;  // and to all others
  ConnectionScript connection = {};
  Steps midway = {};      // once the streams are open
  Steps midway_end = {};  // later
  // The connections wait for kASecondLater.
  bool late_connection = false;
  // Whether the connection has carried an RPC before.
  bool warm = true;
  // GRPC_ARG_MAX_METADATA_SIZE of the channel; 0: unset.
  int metadata_bytes_max = 0;

  EdgeOutcome ordinary;
  // The ordinary channel aborts the process; `ordinary` does not matter then.
  bool ordinary_aborts = false;
  std::optional<EdgeOutcome> pool = {};  // empty: the same
  // Of the RPC's status; empty: not looked at.
  std::string message = {};
  // Why the two differ, or why both do what they should not.
  std::string note = {};
  // The pool does worse than the ordinary channel. Only what README.md lists under Limits.
  bool known_limit = false;

  const EdgeOutcome& expected_of_pool() const { return pool ? *pool : ordinary; }
};

// "RstStreamCancelAfterHeadersUnary".
std::string NameOf(const Edge& edge);
// "server stream".
std::string NameOf(EdgeCall call);
// "UNAVAILABLE".
std::string NameOf(grpc::StatusCode code);

}  // namespace predial
