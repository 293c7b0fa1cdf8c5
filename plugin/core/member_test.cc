#include "plugin/core/member.h"

#include <gtest/gtest.h>

namespace predial {
namespace {

TEST(MemberTest, TheTableOfLegalChanges) {
  constexpr MemberState kStates[] = {MemberState::kConnecting, MemberState::kReady,
                                     MemberState::kEjected, MemberState::kDraining,
                                     MemberState::kClosed};
  // Rows: from; columns: to; in the order above.
  constexpr bool kLegal[5][5] = {{false, true, false, false, true},
                                 {false, false, true, true, true},
                                 {false, true, false, true, true},
                                 {false, false, false, false, true},
                                 {false, false, false, false, false}};
  for (int from = 0; from < 5; ++from) {
    for (int to = 0; to < 5; ++to) {
      EXPECT_EQ(IsLegalChange(kStates[from], kStates[to]), kLegal[from][to])
          << ToString(kStates[from]) << " to " << ToString(kStates[to]);
    }
  }
}

TEST(MemberDeathTest, AnIllegalChangeIsABug) {
  Member member(MemberId{7}, EndpointId{1}, Time());
  EXPECT_DEATH(member.MoveTo(MemberState::kDraining), "member 7 may not go from connecting");
}

}  // namespace
}  // namespace predial
