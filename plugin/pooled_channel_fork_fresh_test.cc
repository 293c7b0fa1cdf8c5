// Children of a process in which gRPC is not in use when it forks: each has pools of its own.
#include <grpc/grpc.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "examples/echo/process.h"
#include "plugin/channel_test_util.h"
#include "plugin/fork_test_util.h"
#include "plugin/pooled_channel.h"

namespace predial {
namespace {

// Uses a pool. 0 if all went well.
int UseAPool(const std::string& target) {
  const auto channel = PooledChannel::Create(target, grpc::InsecureChannelCredentials());
  if (!WaitForReadyMembers(*channel, 2)) return 1;
  const auto stub = echo::v1::Echo::NewStub(channel);
  for (int i = 0; i < 20; ++i) {
    if (!Echo(*stub).ok()) return 2;
  }
  const PoolStats stats = channel->Stats();
  if (stats.checkouts_new + stats.checkouts_reused != 20) return 3;
  return channel->Shutdown(absl::Now() + absl::FromChrono(kPatience)) ? 0 : 4;
}

TEST(PooledChannelForkFreshTest, AChildMakesItsOwnPool) {
  auto server = Process::Start({"examples/echo/echo_server", "--port=0"});
  ASSERT_TRUE(server.ok()) << server.status();
  const auto line = (*server)->ReadLine();
  ASSERT_TRUE(line.ok()) << line.status();
  absl::string_view address = *line;
  ASSERT_TRUE(absl::ConsumePrefix(&address, "listening on ")) << *line;
  const std::string target = absl::StrCat("ipv4:", address);

  // Before gRPC was ever used; then after it was, and all of it is gone.
  ASSERT_FALSE(grpc_is_initialized());
  EXPECT_EQ(RunInChild([&] { return UseAPool(target); }), 0);
  EXPECT_EQ(UseAPool(target), 0);
  ASSERT_TRUE(Eventually([] { return !grpc_is_initialized(); }));
  EXPECT_EQ(RunInChild([&] { return UseAPool(target); }), 0);
  // A child's child, too.
  EXPECT_EQ(RunInChild([&] { return RunInChild([&] { return UseAPool(target); }); }), 0);
  EXPECT_EQ(UseAPool(target), 0);
}

}  // namespace
}  // namespace predial
