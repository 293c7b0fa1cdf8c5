// Every case passes against the C++ server, through every API and over every channel.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "interop_tests/cases/case.h"
#include "interop_tests/cases/contender.h"
#include "interop_tests/cases/runner.h"
#include "interop_tests/cases/test_client.h"
#include "interop_tests/peers/test_server.h"

namespace predial {
namespace {

constexpr std::chrono::seconds kPatience{30};

CaseOptions ShortOptions() {
  CaseOptions options;
  options.soak_rpcs = 20;
  options.long_lived_for = std::chrono::milliseconds(50);
  return options;
}

// One server, and one channel of each name, for all tests.
class World {
 public:
  World() : server_(*TestServer::Start()) {}
  const TestService& service() const { return server_->service(); }
  // Null if it cannot be made: the test has failed then.
  std::unique_ptr<Contender> Make(const std::string& name) const {
    auto contender = Contender::Create({name, absl::StrCat("ipv4:", server_->address())});
    EXPECT_TRUE(contender.ok()) << contender.status();
    return contender.ok() ? *std::move(contender) : nullptr;
  }
  Contender* Get(const std::string& name) {
    std::unique_ptr<Contender>& contender = contenders_[name];
    if (contender == nullptr) contender = Make(name);
    return contender.get();
  }

 private:
  const std::unique_ptr<TestServer> server_;
  std::map<std::string, std::unique_ptr<Contender>> contenders_;
};

template <typename Params>
class WorldTest : public testing::TestWithParam<Params> {
 protected:
  static void SetUpTestSuite() { world_ = new World; }
  static void TearDownTestSuite() {
    delete world_;
    world_ = nullptr;
  }
  static World* world_;
};
template <typename Params>
World* WorldTest<Params>::world_ = nullptr;

std::vector<std::string> CaseNames() {
  std::vector<std::string> names;
  for (const Case& each : AllCases()) names.push_back(each.name);
  return names;
}

using CasesTest = WorldTest<std::tuple<std::string, Api, std::string>>;

TEST_P(CasesTest, Passes) {
  const auto& [channel, api, which] = GetParam();
  Contender* const contender = world_->Get(channel);
  ASSERT_NE(contender, nullptr);
  EXPECT_EQ(RunCase(*FindCase(which), api, *contender, ShortOptions()).status, absl::OkStatus());
}

std::string NameOfCase(const testing::TestParamInfo<CasesTest::ParamType>& info) {
  const auto& [channel, api, which] = info.param;
  return absl::StrCat(channel, "_", NameOf(api), "_", which);
}

INSTANTIATE_TEST_SUITE_P(All, CasesTest,
                         testing::Combine(testing::ValuesIn(Contender::Names()),
                                          testing::ValuesIn(kApis), testing::ValuesIn(CaseNames())),
                         NameOfCase);

using FlowControlTest = WorldTest<std::tuple<std::string, Api>>;

// What slow_consumer is about: a server cannot send what its client does not read.
TEST_P(FlowControlTest, HoldsTheServerBack) {
  // More than gRPC's windows, which grow up to 16 MiB, and the sockets' buffers hold.
  constexpr int kMessages = 256;
  constexpr int kBytes = 256 << 10;
  constexpr int kRpcsWithoutProgress = 200;
  const auto& [channel, api] = GetParam();
  // Of its own: the windows of one that has carried much have grown.
  const std::unique_ptr<Contender> contender = world_->Make(channel);
  ASSERT_NE(contender, nullptr);
  const auto client = MakeTestClient(api, contender->channel());
  const int64_t before = world_->service().responses_written();
  const auto written = [&] { return world_->service().responses_written() - before; };

  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  grpc::testing::StreamingOutputCallRequest request;
  for (int i = 0; i < kMessages; ++i) request.add_response_parameters()->set_size(kBytes);
  const auto stream = client->StreamingOutputCall(&context, request);
  grpc::testing::StreamingOutputCallResponse response;
  ASSERT_TRUE(stream->Read(&response));
  // Until it has not been able to write for so many RPCs.
  int64_t last = 0;
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  for (int rpcs = 0; rpcs < kRpcsWithoutProgress; ++rpcs) {
    ASSERT_LT(std::chrono::steady_clock::now(), give_up);
    grpc::ClientContext unary;
    unary.set_deadline(std::chrono::system_clock::now() + kPatience);
    grpc::testing::Empty empty;
    ASSERT_TRUE(client->EmptyCall(&unary, empty, &empty).ok());
    if (written() != last) rpcs = 0;
    last = written();
  }
  EXPECT_LT(last, kMessages);
  int received = 1;
  while (stream->Read(&response)) ++received;
  EXPECT_EQ(received, kMessages);
  EXPECT_EQ(written(), kMessages);
  EXPECT_TRUE(stream->Finish().ok());
}

INSTANTIATE_TEST_SUITE_P(All, FlowControlTest,
                         testing::Combine(testing::Values("ordinary", "round_robin", "anchor"),
                                          testing::ValuesIn(kApis)),
                         [](const testing::TestParamInfo<FlowControlTest::ParamType>& info) {
                           return absl::StrCat(std::get<0>(info.param), "_",
                                               NameOf(std::get<1>(info.param)));
                         });

}  // namespace
}  // namespace predial
