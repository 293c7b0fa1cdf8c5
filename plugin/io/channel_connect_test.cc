#include "plugin/io/channel_connect.h"

#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/dialer.h"
#include "plugin/io/epoll_loop.h"
#include "plugin/io/grpc_poller.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/state_watch.h"
#include "plugin/io/unique_fd.h"
#include "plugin/testing/script.h"
#include "plugin/testing/scripted_server.h"

namespace predial {
namespace {

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& grpc_target) {
  return CreateOrdinaryChannel(grpc_target, grpc::InsecureChannelCredentials(), {}, {});
}

class ChannelConnectTest : public testing::Test {
 protected:
  ~ChannelConnectTest() override {
    RunInLoop(loop_, [&] {
      connect_.reset();
      watch_.reset();
    });
  }

  absl::Status Connect(std::shared_ptr<grpc::Channel> channel,
                       const ChannelConnect::Options& options = {kTestPatience}) {
    Box<absl::Status> result;
    RunInLoop(loop_, [&] {
      connect_ = std::make_unique<ChannelConnect>(loop_, poller_, std::move(channel), options,
                                                  [&](absl::Status status) {
                                                    connect_.reset();  // as owners do
                                                    result.Put(std::move(status));
                                                  });
    });
    return result.Take();
  }

  EpollLoop loop_;
  GrpcPoller poller_;
  std::unique_ptr<ChannelConnect> connect_;
  std::unique_ptr<StateWatch> watch_;
};

TEST_F(ChannelConnectTest, EndsWhenTheChannelIsReady) {
  ScriptedServer server;
  const auto channel = ChannelTo(server.target());
  EXPECT_TRUE(Connect(channel).ok());
  EXPECT_TRUE(Connect(channel).ok()) << "it is already";
  EXPECT_EQ(server.Record().requests.size(), 0u);
}

TEST_F(ChannelConnectTest, ARefusedDialHasGrpcsReason) {
  const UniqueFd bound = BindSocket("127.0.0.1:0");  // and not listening
  const std::string address = LocalAddress(bound.get()).ToString();
  const absl::Status status = Connect(ChannelTo(absl::StrCat("ipv4:", address)));
  EXPECT_EQ(DialResultOf(status), DialResult::kRefused) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), address)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), "Connection refused")) << status;
}

TEST_F(ChannelConnectTest, EndsWhenItsTimeIsUp) {
  const UniqueFd silent = ListenOn("127.0.0.1:0");
  const std::string target = absl::StrCat("ipv4:", LocalAddress(silent.get()).ToString());
  ChannelConnect::Options options = {std::chrono::milliseconds(30)};
  absl::Status status = Connect(ChannelTo(target), options);
  EXPECT_EQ(DialResultOf(status), DialResult::kTimeout);
  EXPECT_EQ(status.message(), "no connection within 30ms");
  options.dialed = true;
  status = Connect(ChannelTo(target), options);
  EXPECT_EQ(DialResultOf(status), DialResult::kTimeout);
  EXPECT_EQ(status.message(), "connected, but no HTTP/2 SETTINGS came within 30ms");
  options.secure = true;
  status = Connect(ChannelTo(target), options);
  EXPECT_EQ(DialResultOf(status), DialResult::kHandshake);
  EXPECT_EQ(status.message(), "connected, but the TLS handshake did not end within 30ms");
}

TEST(ResultOfGrpcErrorTest, WhatGrpcSaysOfItsDials) {
  const std::string remote =
      "failed to connect to all addresses; last error: UNKNOWN: ipv4:1.2.3.4:"
      "1: Failed to connect to remote host: ";
  EXPECT_EQ(ResultOfGrpcError(remote + "Connection refused", true, false), DialResult::kRefused);
  EXPECT_EQ(ResultOfGrpcError(remote + "Network is unreachable", true, false),
            DialResult::kUnreachable);
  EXPECT_EQ(ResultOfGrpcError(remote + "Permission denied", true, false), DialResult::kError);
  EXPECT_EQ(ResultOfGrpcError("DNS resolution failed for x", true, false), DialResult::kError);
  const char* const closed = "failed to connect to all addresses; last error: Socket closed";
  EXPECT_EQ(ResultOfGrpcError(closed, true, false), DialResult::kHandshake);
  EXPECT_EQ(ResultOfGrpcError(closed, false, true), DialResult::kNotHttp2);
  // A socket that was connected cannot be refused.
  EXPECT_EQ(ResultOfGrpcError(remote + "Connection refused", true, true), DialResult::kHandshake);
}

// --- StateWatch.

TEST_F(ChannelConnectTest, AGoawayIsTold) {
  ScriptedServer server;
  const auto channel = ChannelTo(server.target());
  ASSERT_TRUE(Connect(channel).ok());
  Box<bool> left;
  RunInLoop(loop_, [&] {
    watch_ = std::make_unique<StateWatch>(loop_, channel, [&] {
      watch_.reset();  // as owners do
      left.Put(true);
    });
  });
  server.Do(0, {Step::GoAway(0)});  // the connection stays
  EXPECT_TRUE(left.Take());
}

}  // namespace
}  // namespace predial
