// RpcMethod: an RPC's method, as the labels grpc_service and grpc_method name it.
#pragma once

#include <cstddef>
#include <optional>

#include "absl/strings/string_view.h"

namespace predial {

// Views into the name that was split.
struct RpcMethod {
  absl::string_view service;
  absl::string_view method;
};

// Longer names count as malformed: every distinct one is kept.
inline constexpr size_t kMethodBytesMax = 1024;

// "/pkg.Svc/Method" is service "pkg.Svc" and method "Method"; a further slash belongs to the
// method. nullopt if malformed: no slash at the start, no second one, an empty part, more than
// kMethodBytesMax bytes, or no IsLabelText(). Two different names never give the same parts.
std::optional<RpcMethod> SplitMethod(absl::string_view name);

}  // namespace predial
