// One member's states, and the table of legal changes. Pure.
//
//                 OnConnectFailed
//   kConnecting ------------------------------> kClosed
//       | OnReady                                 ^
//       v            Eject                        |
//     kReady  ----------------->  kEjected        | OnPeerClosed (from any), OnDrained
//       |     <-----------------     |            |
//       | Drain      Readmit         | Drain      |
//       '---------> kDraining <------'------------'
#pragma once

#include <cstdint>
#include <string>

#include "plugin/core/types.h"

namespace predial {

enum class MemberState {
  kConnecting,  // being dialed and set up. Exits: ready, or failed
  kReady,       // takes RPCs
  kEjected,     // its health check said no; keeps its RPCs, gets no new ones (but see panic)
  kDraining,    // gets no new RPCs; closes when the last one ends
  kClosed,      // gone
};
const char* ToString(MemberState state);

bool IsLegalChange(MemberState from, MemberState to);

struct Member {
  Member(MemberId id, EndpointId endpoint, Time now)
      : id(id), endpoint(endpoint), connecting_since(now) {}

  MemberId id;
  EndpointId endpoint;
  Time connecting_since;
  bool primed = false;  // see Connect

  // Valid once it was ready.
  Time ready_since = {};
  uint32_t stream_limit = 0;  // the peer's; 0: none
  uint32_t sizing_limit = 0;  // the same, or what is assumed
  int64_t in_flight = 0;      // as of the last sample
  uint64_t rpcs = 0;          // RPCs so far, as of the last sample
  uint64_t answered = 0;      // as LoadSample::Of has it, as of the last sample
  Duration latency = {};      // of these
  Time last_activity = {};    // the last time a sample showed an RPC, or a check came back
  Time last_check = {};       // when the last check came back, or it was ejected
  bool check_pending = false;
  int checks_unanswered = 0;  // in a row
  // Which server it has got, as that names itself; empty until an RPC on it was answered.
  std::string backend;
  // An RPC missed its deadline and nothing came back since: ejected until its check is answered.
  bool suspect = false;

  uint64_t rpcs_max = UINT64_MAX;  // as ordered
  double jitter = 0;               // in [0, 1): its own
  // To be replaced when it is its turn.
  RotateReason due_for = RotateReason::kNone;
  // Being replaced: stays ready until another is.
  RotateReason rotating = RotateReason::kNone;

  CloseReason drain_reason = CloseReason::kShutdown;  // kDraining
  Time draining_since = {};
  bool cut = false;  // drain_timeout has passed: its connection is being closed

  MemberState state() const { return state_; }
  // The only way to change the state. Aborts on an illegal change: that is a bug in the core.
  void MoveTo(MemberState next);

 private:
  MemberState state_ = MemberState::kConnecting;
};

}  // namespace predial
