#include "plugin/core/member.h"

#include <cstdio>
#include <cstdlib>

namespace predial {

const char* ToString(MemberState state) {
  switch (state) {
    case MemberState::kConnecting:
      return "connecting";
    case MemberState::kReady:
      return "ready";
    case MemberState::kEjected:
      return "ejected";
    case MemberState::kDraining:
      return "draining";
    case MemberState::kClosed:
      return "closed";
  }
  return "unknown";
}

bool IsLegalChange(MemberState from, MemberState to) {
  switch (from) {
    case MemberState::kConnecting:
      return to == MemberState::kReady || to == MemberState::kClosed;
    case MemberState::kReady:
      return to == MemberState::kEjected || to == MemberState::kDraining ||
             to == MemberState::kClosed;
    case MemberState::kEjected:
      return to == MemberState::kReady || to == MemberState::kDraining ||
             to == MemberState::kClosed;
    case MemberState::kDraining:
      return to == MemberState::kClosed;
    case MemberState::kClosed:
      return false;
  }
  return false;
}

void Member::MoveTo(MemberState next) {
  if (!IsLegalChange(state_, next)) {
    std::fprintf(stderr, "predial: member %llu may not go from %s to %s\n",
                 static_cast<unsigned long long>(id), ToString(state_), ToString(next));
    std::abort();
  }
  state_ = next;
}

}  // namespace predial
