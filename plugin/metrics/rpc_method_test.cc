#include "plugin/metrics/rpc_method.h"

#include <string>

#include "gtest/gtest.h"

namespace predial {
namespace {

TEST(RpcMethodTest, SplitsServiceAndMethod) {
  const auto parts = SplitMethod("/pkg.Svc/Method");
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->service, "pkg.Svc");
  EXPECT_EQ(parts->method, "Method");
}

TEST(RpcMethodTest, AFurtherSlashBelongsToTheMethod) {
  const auto parts = SplitMethod("/a/b/c/");
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->service, "a");
  EXPECT_EQ(parts->method, "b/c/");
}

TEST(RpcMethodTest, MalformedNames) {
  for (const char* name :
       {"", "/", "//", "///", "/a", "/a/", "//b", "a/b", "pkg.Svc", "/a\n/b", "/a/\xff"}) {
    EXPECT_FALSE(SplitMethod(name).has_value()) << name;
  }
}

TEST(RpcMethodTest, LengthIsBounded) {
  const std::string longest = "/s/" + std::string(kMethodBytesMax - 3, 'm');
  EXPECT_TRUE(SplitMethod(longest).has_value());
  EXPECT_FALSE(SplitMethod(longest + "m").has_value());
}

}  // namespace
}  // namespace predial
