// Names to addresses, by getaddrinfo(3), which blocks; and the threads to block.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugin/io/address.h"

namespace predial {

// The TCP addresses of `host`, which may be a literal, in the system's order (RFC 6724). Families
// for which this host has no address of its own are left out (AI_ADDRCONFIG), but not of localhost,
// nor if `host` has no others. `port` is a number or a service name; "http" and "https" need no
// services(5), as for gRPC.
// Thread-safe; blocks. Errors name the host and the cause: NOT_FOUND if the name has no address,
// UNAVAILABLE if no server answered, INVALID_ARGUMENT for an unknown service name.
absl::StatusOr<std::vector<Address>> LookupBySystem(const std::string& host,
                                                    const std::string& port);

inline constexpr int kLookupThreadsMax = 4;

// Something that may block. Called with OK on a lookup thread or, if there is none and none can be
// started, with RESOURCE_EXHAUSTED on a thread that calls RunOnLookupThread().
using LookupJob = absl::AnyInvocable<void(absl::Status)>;

// Queues `job` for the process's lookup threads. A thread ends when no job is left. Thread-safe.
void RunOnLookupThread(LookupJob job);

}  // namespace predial
