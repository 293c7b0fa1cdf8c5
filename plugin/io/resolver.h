// Resolver: turns a target into endpoints, once and then periodically.
//
// An endpoint is one server: one address, or the IPv6 and the IPv4 address of a name that has
// exactly one of each (a dual-stack host; the dialer races the two). A name with more addresses
// than that gives one endpoint for each, as does each item of a list of literals.
//
// Threads:   created, used and destroyed on the loop's thread; `callback` runs there too. Names are
//            looked up by getaddrinfo(3) on threads of the resolver's own that live only while a
//            lookup is under way, at most kLookupThreadsMax (lookup.h) in a process; more lookups
//            than that wait.
// Ownership: destroying the resolver, also from within `callback`, cancels; `callback` is then
//            never called. A lookup under way cannot be interrupted: its thread ends when
//            getaddrinfo does.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/target.h"

namespace predial {

struct ResolvedEndpoint {
  // Of one server, in the order in which to try them; empty only of a Target::Kind::kWhole.
  std::vector<Address> addresses;
  // Of a Target::Kind::kWhole: its text. Else empty.
  std::string target = {};

  // Identifies the endpoint from one resolution to the next: the addresses in an order of its own,
  // joined by "|".
  std::string Key() const;
  // What makes an ordinary gRPC channel go there.
  std::string GrpcTarget() const { return target.empty() ? ToGrpcTarget(addresses) : target; }
};

class Resolver {
 public:
  // Never an empty list: no address at all is a NOT_FOUND that names the host. Addresses keep the
  // order of the lookup (RFC 6724 for the system's); one that comes twice is given once.
  using Callback = absl::AnyInvocable<void(absl::StatusOr<std::vector<ResolvedEndpoint>>)>;

  virtual ~Resolver() = default;

  // Resolves now (in the background), then every `interval`, whether that succeeds or fails. Lists
  // of literal addresses are reported once, as is a target that only gRPC can resolve. `callback`
  // is never called from within Start(). Once only.
  virtual void Start(Callback callback) = 0;

  // Asks for a resolution sooner than the interval would bring it, because connections fail.
  // Lookups stay at least kResolveSpacing apart, from the end of one to the start of the next, and
  // never run side by side: during one, this does nothing.
  virtual void ResolveNow() = 0;
};

inline constexpr Duration kResolveSpacing = std::chrono::seconds(1);

// `interval` is ignored for literal addresses.
std::unique_ptr<Resolver> CreateResolver(EventLoop& loop, const Target& target, Duration interval);

// The addresses of a host. May block; called on lookup threads, several at a time.
using LookupFunction = std::function<absl::StatusOr<std::vector<Address>>(const std::string& host,
                                                                          const std::string& port)>;

// For tests, and for names that the system does not know: with a lookup of one's own.
std::unique_ptr<Resolver> CreateResolver(EventLoop& loop, const Target& target, Duration interval,
                                         LookupFunction lookup);

}  // namespace predial
