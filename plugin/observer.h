// PoolObserver: what a pool reports. Every callback has a no-op default; override what you need.
// plugin/metrics has the one for Prometheus.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "plugin/core/types.h"
#include "plugin/stats.h"

namespace predial {

// The four kinds of RPC, with the names that the grpc_type label uses.
enum class RpcType { kUnary, kClientStream, kServerStream, kBidiStream };
inline constexpr int kRpcTypes = 4;

// The reports of one pool.
//
// Threads: OnCheckout and OnRpc* are called on RPC threads, many at a time, on the hot path: they
//          must be lock-free and quick, and must not call into the pool. The others are called on
//          the event loop's thread and must not block.
// Ownership: the pool, and every RPC in flight, share ownership.
class PoolEvents {
 public:
  virtual ~PoolEvents() = default;

  // A member, or the anchor, was chosen for an RPC. `took`: from the entry of the RPC into the pool
  // to the choice, any wait for a place included. Not called for an RPC that is refused, because
  // all connections are full.
  virtual void OnCheckout(Duration /*took*/) {}

  // An RPC starts. `method` is "/package.Service/Method", valid during the call only. What is
  // returned comes back in OnRpcEnded() of the same RPC, so that a lookup by name is made only
  // once.
  virtual void* OnRpcStarted(RpcType /*type*/, absl::string_view /*method*/) { return nullptr; }

  // It ended. `code` is its grpc::StatusCode as a number, or kUnobserved for an RPC whose caller
  // dropped its context without asking for the status. `took` is since OnRpcStarted().
  static constexpr int kUnobserved = -1;
  virtual void OnRpcEnded(void* /*started*/, int /*code*/, Duration /*took*/) {}

  // A dial (of a member or a spare) ended; `took` is since it began.
  virtual void OnDialEnded(absl::string_view /*endpoint*/, DialResult /*result*/,
                           Duration /*took*/) {}
  virtual void OnConnectionReady(absl::string_view /*endpoint*/) {}
  virtual void OnConnectionClosed(absl::string_view /*endpoint*/, CloseReason /*reason*/) {}
  virtual void OnHealthChecked(absl::string_view /*endpoint*/, HealthResult /*result*/) {}

  // The pool's last numbers; nothing but OnRpcEnded() of RPCs in flight comes after it.
  virtual void OnPoolClosed(const PoolStats& /*last*/) {}
};

class PoolObserver {
 public:
  // The present numbers; nullopt once the pool is gone. Thread-safe; takes no lock that RPCs take.
  using StatsSource = std::function<std::optional<PoolStats>()>;

  virtual ~PoolObserver() = default;

  // A pool begins. Called once for each pool, before anything else of it is reported; several pools
  // may have the same target. May return nullptr: then nothing is reported.
  virtual std::shared_ptr<PoolEvents> OnPoolCreated(const std::string& target,
                                                    StatsSource stats) = 0;
};

}  // namespace predial
