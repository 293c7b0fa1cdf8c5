// The orders that PoolCore gives: values, carried out by the channel pool. Pure.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "plugin/core/types.h"

namespace predial {

// An endpoint comes into use: make its socket pool and its anchor.
struct AddEndpoint {
  EndpointId endpoint;
  std::string key;  // as the resolver named it
};
// It is no longer listed: end its anchor and its spares. Its members are drained by other orders.
struct RetireEndpoint {
  EndpointId endpoint;
};
// Its last member is gone, too: forget it.
struct RemoveEndpoint {
  EndpointId endpoint;
};
// Dial and set up a new member. Answered by exactly one OnReady or OnConnectFailed, unless Close
// comes first.
struct Connect {
  MemberId member;
  EndpointId endpoint;
  // Ready only when it has answered a health check: the endpoint has failed lately.
  bool prime = false;
};
// No new RPCs; answered by OnDrained once the last one ended.
struct Drain {
  MemberId member;
};
// The member is gone: let go of its connection, or of its dial.
struct Close {
  MemberId member;
  CloseReason reason;
};
// Health/Check on the member's own connection; answered by exactly one OnChecked, unless Close
// comes first. A quick one takes the place of one that is under way.
struct Check {
  MemberId member;
  bool quick = false;  // it is suspect: RPCs wait to know
};
// End the connection of a draining member, whatever is on it.
struct Cut {
  MemberId member;
};
// How many RPCs the member may carry, and after how many it is to be replaced.
struct LimitRpcs {
  MemberId member;
  uint64_t worn_at;
  uint64_t max;
};
// Keep this many spare sockets to the endpoint.
struct SetSpares {
  EndpointId endpoint;
  int count;
};
// The endpoint's server is back: an ordinary channel to it need not wait for its own backoff.
struct WakeAnchor {
  EndpointId endpoint;
};
// RPCs wait on an ordinary channel to the target although there are ready members: the server can
// be reached, and the channel need not wait for its backoff.
struct WakeTargetAnchor {};
// Connections fail: ask the resolver whether the addresses are still right.
struct ResolveNow {};
// These members, and no others, take RPCs from now on; each as often as it is named.
struct Publish {
  std::vector<MemberId> members;
};
enum class PoolState { kConnecting, kReady, kTransientFailure, kSuspended, kShutdown };
// The connectivity state that users see.
struct SetState {
  PoolState state;
};

using Action =
    std::variant<AddEndpoint, RetireEndpoint, RemoveEndpoint, Connect, Drain, Close, Check, Cut,
                 LimitRpcs, SetSpares, WakeAnchor, WakeTargetAnchor, ResolveNow, Publish, SetState>;
using Actions = std::vector<Action>;

// For tests and logs: "Connect{3, 1}".
std::string ToString(const Action& action);

}  // namespace predial
