#include "plugin/core/action.h"

#include "absl/strings/str_cat.h"

namespace predial {
namespace {

uint64_t Number(MemberId id) { return static_cast<uint64_t>(id); }
uint64_t Number(EndpointId id) { return static_cast<uint64_t>(id); }

const char* Name(PoolState state) {
  switch (state) {
    case PoolState::kConnecting:
      return "CONNECTING";
    case PoolState::kReady:
      return "READY";
    case PoolState::kTransientFailure:
      return "TRANSIENT_FAILURE";
    case PoolState::kSuspended:
      return "SUSPENDED";
    case PoolState::kShutdown:
      return "SHUTDOWN";
  }
  return "?";
}

struct Printer {
  std::string operator()(const AddEndpoint& a) const {
    return absl::StrCat("AddEndpoint{", Number(a.endpoint), ", ", a.key, "}");
  }
  std::string operator()(const RetireEndpoint& a) const {
    return absl::StrCat("RetireEndpoint{", Number(a.endpoint), "}");
  }
  std::string operator()(const RemoveEndpoint& a) const {
    return absl::StrCat("RemoveEndpoint{", Number(a.endpoint), "}");
  }
  std::string operator()(const Connect& a) const {
    return absl::StrCat("Connect{", Number(a.member), ", ", Number(a.endpoint),
                        a.prime ? ", prime}" : "}");
  }
  std::string operator()(const Drain& a) const {
    return absl::StrCat("Drain{", Number(a.member), "}");
  }
  std::string operator()(const Close& a) const {
    return absl::StrCat("Close{", Number(a.member), ", ", predial::ToString(a.reason), "}");
  }
  std::string operator()(const Check& a) const {
    return absl::StrCat("Check{", Number(a.member), a.quick ? ", quick}" : "}");
  }
  std::string operator()(const Cut& a) const { return absl::StrCat("Cut{", Number(a.member), "}"); }
  std::string operator()(const LimitRpcs& a) const {
    return absl::StrCat("LimitRpcs{", Number(a.member), ", ", a.worn_at, ", ", a.max, "}");
  }
  std::string operator()(const SetSpares& a) const {
    return absl::StrCat("SetSpares{", Number(a.endpoint), ", ", a.count, "}");
  }
  std::string operator()(const WakeAnchor& a) const {
    return absl::StrCat("WakeAnchor{", Number(a.endpoint), "}");
  }
  std::string operator()(const WakeTargetAnchor&) const { return "WakeTargetAnchor{}"; }
  std::string operator()(const ResolveNow&) const { return "ResolveNow{}"; }
  std::string operator()(const Publish& a) const {
    std::string text = "Publish{";
    for (size_t i = 0; i < a.members.size(); ++i) {
      absl::StrAppend(&text, i == 0 ? "" : ", ", Number(a.members[i]));
    }
    return text + "}";
  }
  std::string operator()(const SetState& a) const {
    return absl::StrCat("SetState{", Name(a.state), "}");
  }
};

}  // namespace

std::string ToString(const Action& action) { return std::visit(Printer(), action); }

}  // namespace predial
