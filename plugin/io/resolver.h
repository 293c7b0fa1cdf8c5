// Resolver: turns a target into endpoints, once and then periodically.
//
// An endpoint is one server: one address, or the IPv6 and the IPv4 address of a name that has
// exactly one of each (a dual-stack host; the dialer races the two). A name with more addresses than
// that gives one endpoint for each.
//
// Threads:   created, used and destroyed on the loop's thread; `callback` runs there too. Names are
//            looked up by getaddrinfo(3) on threads of the resolver's own that live only while a
//            lookup is under way, at most kLookupThreadsMax in a process.
// Ownership: destroying the resolver cancels; `callback` is then never called.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "plugin/core/target.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/event_loop.h"

namespace predial {

inline constexpr int kLookupThreadsMax = 4;

struct ResolvedEndpoint {
  // Of one server, in the order in which to try them; never empty.
  std::vector<Address> addresses;

  // Identifies the endpoint from one resolution to the next.
  std::string Key() const;
};

class Resolver {
 public:
  // Never an empty list: no address at all is a NOT_FOUND that names the host.
  using Callback = absl::AnyInvocable<void(absl::StatusOr<std::vector<ResolvedEndpoint>>)>;

  virtual ~Resolver() = default;

  // Resolves now (in the background), then every `interval`. Lists of literal addresses are
  // reported once. `callback` is never called from within Start().
  virtual void Start(Callback callback) = 0;

  // Asks for a resolution sooner than the interval would bring it, because connections fail.
  // Lookups stay at least kResolveSpacing apart, and never run side by side.
  virtual void ResolveNow() = 0;
};

inline constexpr Duration kResolveSpacing = std::chrono::seconds(1);

// `interval` is ignored for literal addresses.
std::unique_ptr<Resolver> CreateResolver(EventLoop& loop, const Target& target, Duration interval);

}  // namespace predial
