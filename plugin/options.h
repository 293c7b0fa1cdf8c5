// PoolOptions: everything that can be set about a PooledChannel. A plain struct; every field has a
// default that suits production.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "plugin/core/picker.h"
#include "plugin/core/sizing.h"
#include "plugin/io/tcp_dialer.h"
#include "plugin/observer.h"

namespace predial {

// Delay before dialing an endpoint again after failure n (n = 1, 2, …):
//   min(initial * multiplier^(n-1), max) * (1 + jitter * uniform(-1, 1)),
// which is gRPC's connection backoff (grpc/doc/connection-backoff.md) with its constants.
struct BackoffOptions {
  absl::Duration initial = absl::Seconds(1);  // range [1 ms, max]
  double multiplier = 1.6;                    // range [1, 10]
  absl::Duration max = absl::Seconds(120);    // range [initial, 1 h]
  double jitter = 0.2;                        // range [0, 0.999]

  // While RPCs find no ready member, a failing endpoint is tried this often even if the backoff
  // would wait longer, by one dial at a time. Bounds how long a recovered server stays unused.
  // Subject to the same jitter. Default 500 ms; range [10 ms, 1 h].
  absl::Duration under_demand = absl::Milliseconds(500);
};

// The health service (grpc.health.v1). A server without one counts as healthy.
struct HealthOptions {
  // Off, no member is checked and no endpoint watched; a new connection whose server does not show
  // its SETTINGS is asked once all the same. Default on.
  bool enabled = true;

  // The service name to ask for; "" is the server as a whole. A server that does not know the
  // service counts as healthy until it does; any status but SERVING is as NOT_SERVING.
  std::string service;

  // A member without any RPC for this long is checked by a Health/Check of its own, up to half of
  // it earlier, as those of many channels go out together: one wake-up for all.
  // Busy members prove themselves. Default 5 s; range [100 ms, 1 h].
  absl::Duration interval = absl::Seconds(5);

  // Deadline of one check. Default 1 s; range [1 ms, interval].
  absl::Duration timeout = absl::Seconds(1);

  // Checks in a row without an answer after which the member is closed and replaced. Default 2;
  // range [1, 100].
  int failures_max = 2;

  // When more than this share of the members is ejected, health is ignored and all are used: the
  // health signal itself is then the likelier fault. Default 0.5; range [0, 1]; 1 never panics.
  double panic_threshold = 0.5;

  // RPCs in a row on one connection that fail with UNAVAILABLE, INTERNAL or UNKNOWN, without one
  // that ends well, after which the connection is replaced; if the same happens on its successor,
  // the endpoint is ejected for a while (see BackoffOptions). Default 5; range [1, 10000].
  int rpc_failures_max = 5;

  // The same for failures of any code, which only replace the connection. Default 100; range [1,
  // 10000].
  int rpc_errors_max = 100;
};

// What becomes of an RPC when every ready connection is full: at its peer's stream limit
// (SETTINGS_MAX_CONCURRENT_STREAMS), or at streams_per_connection_max.
enum class OverflowPolicy {
  // It goes to one of them all the same, and at the peer's limit waits inside gRPC, in no order and
  // until its deadline. One that streams does not while the pool is below connections_max, as
  // others might never end: it goes on an ordinary channel, beside the connections that are on
  // their way.
  kShare,
  // It fails at once with RESOURCE_EXHAUSTED and a message that names the limit.
  kFailFast,
  // A synchronous RPC waits, first come, first served, until a place is free: at most waiters_max
  // of them, and for checkout_timeout. It fails with RESOURCE_EXHAUSTED when that is over, and with
  // DEADLINE_EXCEEDED when its own deadline is over first; the message says which. Asynchronous and
  // callback RPCs never block, and fail as with kFailFast.
  kWait,
};

// The stream limit by which a pool is sized where its servers' cannot be looked at: under TLS, and
// where gRPC dials. Servers that have a limit seldom have less, as HTTP/2 recommends (RFC 9113,
// 6.5.2), and many have just that. With OverflowPolicy::kShare an RPC also goes to another
// connection while one has less; no RPC is held back by it.
inline constexpr uint32_t kStreamLimitAssumed = 100;

struct PoolOptions {
  // How connections become members. What each can do: see the README.
  enum class Mode {
    // kManaged for credentials other than InsecureChannelCredentials(), a service config or a
    // load-balancing policy in the channel arguments, or a target that only gRPC can resolve (xds:,
    // google-c2p:); else kFd. Logged and in PoolStats, with the reason.
    kAuto,
    // Channels over descriptors: plaintext, and about a fifth cheaper for an RPC. With something
    // that they cannot honor, INVALID_ARGUMENT names it.
    kFd,
    // Ordinary gRPC channels, each with a connection of its own, over sockets that were dialed
    // before: anything that grpc::CreateChannel can do. With a load-balancing policy, or a target
    // that only gRPC can resolve, each of them resolves and balances by itself and nothing is
    // dialed before.
    kManaged,
  };
  Mode mode = Mode::kAuto;

  // A pool of connections with one RPC at a time on each, as is usual for other protocols: 10 are
  // kept idle beyond those in use, there are 50 at most, and RPCs wait for one to be free.
  static PoolOptions Exclusive();

  // Connections kept ready, all endpoints together; each endpoint in use has at least one, as far
  // as connections_max allows. Each costs two descriptors and about 25 KiB here, and one HTTP/2
  // connection on the server. Default 2; range [1, connections_max].
  int connections_min = 2;

  // Most connections at any time, all endpoints together, those being dialed included. Extra are
  // spares, anchors, one that is dialed to replace another or to try an address that has failed,
  // and those that take no more RPCs and finish their last. Default 16; range [1, 1024].
  int connections_max = 16;

  // The pool grows when the RPCs in flight exceed this many per connection, or 95 % of the peer's
  // SETTINGS_MAX_CONCURRENT_STREAMS or of streams_per_connection_max (80 % with kFailFast). Default
  // 0: 32, and then for no more than two connections for each processor that this process may use
  // when the channel is created, by its affinity and its containers' CPU quotas (the same number
  // for each endpoint), as connections that cannot be served at the same time cost CPU and bring
  // nothing; beyond that, only a stream limit makes it grow. Where there is one endpoint, callers
  // of synchronous unary RPCs get one each, up to four for each processor, as far as each makes
  // 1,000 a second. Range [0, 1000000].
  int streams_per_connection_target = 0;

  // Connections kept beyond those that the load needs, within connections_max: for loads that come
  // at once. Default 0; range [0, connections_max].
  int connections_idle_min = 0;

  // Most RPCs at a time on one connection. Never more while another has room; with kFailFast and
  // kWait, never more at all, on the ordinary channel that carries RPCs while none is ready
  // included. The pool's own health checks do not count. Default 0: only the peer's limit; range
  // [0, 1000000].
  int streams_per_connection_max = 0;

  // What becomes of an RPC when every connection is full.
  OverflowPolicy overflow = OverflowPolicy::kShare;

  // With kWait: most RPCs that wait at a time. Default 1000; range [1, 1000000].
  int waiters_max = 1000;

  // With kWait: how long an RPC may wait for a place. Its own deadline ends the wait, too. Default
  // 5 s; range [1 ms, infinite].
  absl::Duration checkout_timeout = absl::Seconds(5);

  // A connection that the load has not needed for this long is closed, down to connections_min; but
  // never while those that remain would be above 80 % of what they aim at, and never more than half
  // of them at once, a second apart: see core/sizing.h. Default 30 s; range [10 ms, 24 h].
  absl::Duration idle_timeout = absl::Seconds(30);

  // What decides how many connections there are, between connections_min and connections_max.
  // kDemand, the default: the RPCs in flight, as streams_per_connection_target says. kAdaptive: it
  // tries other numbers and keeps the one with which RPCs take the least time at the present load,
  // never below what stream limits need; where that cannot be measured, or has turned out wrong, as
  // kDemand: see core/adaptive_sizing.h. Costs two looks at the clock for each unary RPC, and a
  // probe or more a minute under load, each with a few dials. Worth it where RPCs share a
  // connection's lock, or where the server gets slower with each connection: docs/tuning.md.
  SizingKind sizing = SizingKind::kDemand;

  // A connection is replaced before it is so old, or has carried so many RPCs, the new one first:
  // at 60 to 75 % of it, each at a point of its own. One that has no successor because dials fail
  // stays until it has. Default: never; range [10 ms, infinite].
  absl::Duration connection_age_max = absl::InfiniteDuration();
  // Never one RPC more: without a successor, RPCs take the anchor. Default 0: any number; range [0,
  // 1000000000].
  int requests_per_connection_max = 0;

  // Learn how old the server, or a proxy before it, lets connections get, and how many RPCs it lets
  // them carry, and replace them in time: see core/lifetime.h. The age is learned by the
  // connections of health watches, so only with health on. Default on.
  bool proven_lifetime = true;

  // RPCs on a connection that takes no new ones (it is rotated, idle, unhealthy, its address is
  // gone) may run on for so long; then the connection is closed, and they end with UNAVAILABLE.
  // Default 1 h; range [0, infinite].
  absl::Duration drain_timeout = absl::Hours(1);

  // An endpoint that comes back gets its full share of RPCs only after this. Default 1 s; range
  // [0, 1 h].
  absl::Duration slow_start = absl::Seconds(1);

  // Sockets per endpoint dialed ahead of need, while the pool is in use. Default 1; range [0, 64].
  int spares = 1;

  // How long a spare may wait before it is replaced: servers close connections that stay silent
  // (nginx, HAProxy and nghttpx after 60 s, gRPC after 120 s). Default 20 s; range [100 ms, 1 h].
  absl::Duration spare_lifetime = absl::Seconds(20);

  // Dials under way at a time, all endpoints together. Default 8; range [1, 1024].
  int dials_max = 8;

  // How long a new connection may take to show the server's SETTINGS before it is checked with an
  // RPC instead (a server may wait for the client's first bytes). Default 200 ms; range [0, 10 s].
  absl::Duration settings_wait = absl::Milliseconds(200);

  // How a ready member is chosen for an RPC. None of the kinds takes a lock, and none puts an RPC
  // on a member at its peer's stream limit while another has room: the choice takes the place, so
  // of two RPCs that see the last one, one gets it.
  PickerKind picker = PickerKind::kRoundRobin;

  // With PickerKind::kPeakEwma, how long a slow answer is remembered: after that time a member's
  // latency has come 63 % of the way down to what its answers are now. Default 10 s; range [100 ms,
  // 10 min].
  absl::Duration latency_decay = absl::Seconds(10);

  // With any picker: a member whose mean latency over a second exceeds this many times the median
  // of its peers' gets fewer RPCs, in steps down to a quarter of a full share, and more again when
  // it is faster: see core/outlier.h. Unary RPCs count. Costs two looks at the clock for each. RPCs
  // with an affinity key are not moved. Default 0: off, because with one server behind the pool
  // there is nothing to gain, and members may differ for what they are asked for; 3 is a start
  // where there are several servers. Range: 0, or [1.5, 100].
  double latency_outlier_factor = 0;

  // The name of a request metadata key. RPCs whose ClientContext has the same value for it go to
  // the same member: the first in the value's own order of all ready members (core/affinity.h), so
  // that one that leaves or comes moves only its own share of the values. At its stream limit, or
  // closed, the next in that order takes the RPC. RPCs without the key use the picker. What an
  // interceptor adds comes too late. Costs one hash, and a look at every member. Default "": off;
  // else lower case letters, digits, '-', '_' and '.', at most 128 of them, not beginning with
  // "grpc-". Values of "-bin" keys are taken as they are.
  std::string affinity_metadata;

  // The name of a response header (initial metadata) in which the server names itself: its host
  // name, say. Stats() then tells how many connections each server has, and where a balancer behind
  // one address has given several connections to one server and too few to another, they are dialed
  // anew: one at a time, the new one first (so there has to be room below connections_max), within
  // a budget, and seldom when it brings nothing: see core/spread.h. Default "": off; else as
  // affinity_metadata.
  std::string backend_metadata;

  // Look at a connection before an RPC on it, unless it has answered one in the last 4 to 8 ms: so
  // one that the peer has closed is not used, even in the moment before the pool has been told. A
  // look costs one poll(2), some 0.3 us. In managed mode the channel's state is asked, too, before
  // each RPC. Default on.
  bool alive_check = true;

  // Unary RPCs that no server saw, because their connection was just ending (GOAWAY), are sent
  // again over an ordinary channel, as that would do itself; in managed mode, where gRPC does it,
  // those for which it then found no connection. At most so many at a time; more of them fail with
  // UNAVAILABLE. Only RPCs of stubs that protoc generated, and not beside a service config. Default
  // 1000; range [0, 1000000]; 0 sends none again.
  int never_sent_retries_max = 1000;

  // How often a dns: target is looked up again, beside the lookups that failing connections cause.
  // Default 30 s; range [1 s, 24 h].
  absl::Duration resolve_interval = absl::Seconds(30);

  BackoffOptions backoff;
  HealthOptions health;

  // For the built-in dialer; ignored when `dialer` is set, but for `connect_timeout`: in managed
  // mode that also bounds the TLS handshake.
  SocketOptions socket;

  // Makes the connections. Default: CreateTcpDialer(socket). Shared; may serve many pools.
  std::shared_ptr<Dialer> dialer;

  // Told what the pool does, e.g. PrometheusObserver::Create(). Default: none. Shared; may serve
  // many pools.
  std::shared_ptr<PoolObserver> observer;

  // INVALID_ARGUMENT names the field, its value and its range.
  absl::Status Validate() const;
};

}  // namespace predial
