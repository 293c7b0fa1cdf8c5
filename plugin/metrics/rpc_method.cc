#include "plugin/metrics/rpc_method.h"

#include "plugin/metrics/label_text.h"

namespace predial {

std::optional<RpcMethod> SplitMethod(absl::string_view name) {
  if (name.empty() || name[0] != '/' || name.size() > kMethodBytesMax) return std::nullopt;
  const size_t slash = name.find('/', 1);
  if (slash == absl::string_view::npos) return std::nullopt;
  const RpcMethod parts{name.substr(1, slash - 1), name.substr(slash + 1)};
  if (parts.service.empty() || parts.method.empty() || !IsLabelText(name)) return std::nullopt;
  return parts;
}

}  // namespace predial
