#include "plugin/mode.h"

#include <grpc/support/log.h>

#include <typeinfo>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugin/io/target.h"

namespace predial {
namespace {

bool IsInsecure(const grpc::ChannelCredentials& given) {
  // gRPC has no way to ask.
  const auto insecure = grpc::InsecureChannelCredentials();
  const grpc::ChannelCredentials& known = *insecure;
  return typeid(given) == typeid(known);
}

// Of a service config: its two fields that name a load-balancing policy. In JSON they cannot be
// written otherwise but by escapes that nobody uses.
bool NamesLbPolicy(absl::string_view service_config) {
  return absl::StrContains(service_config, "\"loadBalancingConfig\"") ||
         absl::StrContains(service_config, "\"loadBalancingPolicy\"");
}

}  // namespace

std::string AdoptionWarning(const std::string& target, absl::string_view reason) {
  std::string warning = absl::StrCat("predial: ", target,
                                     ": gRPC dials by itself, without PoolOptions::dialer, socket "
                                     "options and spares, because it cannot be given sockets: ",
                                     reason);
  gpr_log(GPR_ERROR, "%s", warning.c_str());
  return warning;
}

absl::StatusOr<MemberMode> ChooseMode(PoolOptions::Mode wanted, absl::string_view target,
                                      const grpc::ChannelCredentials& credentials,
                                      const grpc::ChannelArguments& args) {
  MemberMode mode;
  std::vector<std::string> reasons;
  mode.secure = !IsInsecure(credentials);
  if (mode.secure) reasons.push_back("the credentials are not InsecureChannelCredentials()");
  const grpc_channel_args c_args = args.c_channel_args();
  for (size_t i = 0; i < c_args.num_args; ++i) {
    const grpc_arg& arg = c_args.args[i];
    const absl::string_view key = arg.key;
    if (key != GRPC_ARG_SERVICE_CONFIG && key != GRPC_ARG_LB_POLICY_NAME) continue;
    reasons.push_back(absl::StrCat("channel argument ", key, " is set"));
    mode.service_config |= key == GRPC_ARG_SERVICE_CONFIG;
    mode.whole_target |= key == GRPC_ARG_LB_POLICY_NAME ||
                         (arg.type == GRPC_ARG_STRING && NamesLbPolicy(arg.value.string));
  }
  const absl::string_view scheme = ForeignScheme(target);
  const bool of_grpc = IsSchemeOfGrpc(scheme);
  if (of_grpc) reasons.push_back(absl::StrCat("only gRPC can resolve ", scheme, ":"));
  // What it is, gRPC may have been told by the user.
  mode.whole_target |= of_grpc || (!scheme.empty() && wanted == PoolOptions::Mode::kManaged);

  mode.reason = absl::StrJoin(reasons, "; ");
  switch (wanted) {
    case PoolOptions::Mode::kFd:
      if (!reasons.empty()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "mode is kFd, but ", mode.reason,
            ", which connections made from descriptors cannot honor: set mode to kAuto "
            "or kManaged"));
      }
      mode.reason = "PoolOptions::mode is kFd";
      break;
    case PoolOptions::Mode::kManaged:
      mode.managed = true;
      reasons.insert(reasons.begin(), "PoolOptions::mode is kManaged");
      mode.reason = absl::StrJoin(reasons, "; ");
      break;
    case PoolOptions::Mode::kAuto:
      mode.managed = !reasons.empty();
      if (reasons.empty()) mode.reason = "nothing needs an ordinary channel";
      break;
  }
  return mode;
}

}  // namespace predial
