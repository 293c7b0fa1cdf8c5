// gRPC's global interceptor factory, which an application registers once, over an ordinary channel
// and a pooled one.
#include <grpcpp/support/client_interceptor.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "plugin/api_test_calls.h"
#include "plugin/api_test_channels.h"
#include "plugin/api_test_server.h"
#include "plugin/mutex.h"
#include "plugin/observer.h"

namespace predial {
namespace {

using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;

Mutex log_mutex;
std::vector<std::string> log ABSL_GUARDED_BY(log_mutex);

void Log(std::string entry) {
  MutexLock lock(log_mutex);
  log.push_back(std::move(entry));
}
std::vector<std::string> TakeLog() {
  MutexLock lock(log_mutex);
  return std::move(log);
}

// Logs the unary RPCs of the test, and no others: the pool's health checks are seen, too.
class Scribe final : public grpc::experimental::Interceptor {
 public:
  explicit Scribe(const ClientRpcInfo& info)
      : logs_(info.method() == std::string(MethodName(RpcType::kUnary))) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (logs_ &&
        methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      Log("sends");
    }
    if (logs_ && methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS)) {
      Log(absl::StrCat("status ", methods->GetRecvStatus()->error_code()));
    }
    methods->Proceed();
  }

 private:
  const bool logs_;
};

class ScribeFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override {
    return new Scribe(*info);
  }
};

class GlobalInterceptorTest : public testing::TestWithParam<ChannelKind> {
 protected:
  static void SetUpTestSuite() {
    static ScribeFactory* const factory = [] {
      auto* const made = new ScribeFactory;  // of the process: gRPC's threads use it to its end
      grpc::experimental::RegisterGlobalClientInterceptorFactory(made);
      return made;
    }();
    ASSERT_NE(factory, nullptr);
  }

  const ApiServer server_{ServerOptionsOf(GetParam())};
};

TEST_P(GlobalInterceptorTest, SeesEachRpcOnce) {
  const ChannelUnderTest channel(GetParam(), server_.target());
  for (const CallApi api : kCallApis) {
    grpc::ClientContext context;
    context.set_deadline(Patiently());
    context.set_wait_for_ready(true);
    EXPECT_TRUE(
        MakeCall(api, RpcType::kUnary, channel.get(), &context, EchoRequests(1)).status.ok());
    EXPECT_EQ(TakeLog(), (std::vector<std::string>{"sends", "status 0"}))
        << "API " << static_cast<int>(api);
  }
  channel.ExpectAllReturned();
}

INSTANTIATE_TEST_SUITE_P(All, GlobalInterceptorTest, testing::ValuesIn(kChannelKinds),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace predial
