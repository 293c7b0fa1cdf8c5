// The user's interceptors, over an ordinary channel and a pooled one.
#include <gmock/gmock.h>
#include <grpcpp/support/client_interceptor.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugin/api_test_calls.h"
#include "plugin/api_test_channels.h"
#include "plugin/api_test_server.h"
#include "plugin/mutex.h"
#include "plugin/observer.h"

namespace predial {
namespace {

using echo::v1::EchoResponse;
using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

// What interceptors saw, in order.
class Log {
 public:
  void Add(std::string entry) {
    MutexLock lock(mutex_);
    entries_.push_back(std::move(entry));
  }
  std::vector<std::string> entries() const {
    MutexLock lock(mutex_);
    return entries_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> entries_ ABSL_GUARDED_BY(mutex_);
};

// Logs the beginning, the status and the end of an RPC, each with its name.
class Scribe final : public Interceptor {
 public:
  Scribe(Log* log, std::string name, const char* method) : log_(log), name_(std::move(name)) {
    log_->Add(absl::StrCat(name_, " ", method));
  }
  ~Scribe() override { log_->Add(absl::StrCat(name_, " gone")); }
  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      log_->Add(absl::StrCat(name_, " sends"));
      methods->GetSendInitialMetadata()->emplace("scribe", name_);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS)) {
      log_->Add(absl::StrCat(name_, " status ", methods->GetRecvStatus()->error_code()));
    }
    methods->Proceed();
  }

 private:
  Log* const log_;
  const std::string name_;
};

class ScribeFactory final : public ClientInterceptorFactoryInterface {
 public:
  ScribeFactory(Log* log, std::string name) : log_(log), name_(std::move(name)) {}
  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override {
    return new Scribe(log_, name_, info->method());
  }

 private:
  Log* const log_;
  const std::string name_;
};

// Answers unary RPCs itself.
class Hijacker final : public Interceptor {
 public:
  void Intercept(InterceptorBatchMethods* methods) override {
    const bool begins =
        methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA);
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_MESSAGE)) {
      static_cast<EchoResponse*>(methods->GetRecvMessage())->set_message("hijacked");
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_STATUS)) {
      *methods->GetRecvStatus() = grpc::Status::OK;
    }
    if (begins) {
      methods->Hijack();
    } else {
      methods->Proceed();
    }
  }
};

// Makes interceptors by a function; it may make none.
class FunctionFactory final : public ClientInterceptorFactoryInterface {
 public:
  explicit FunctionFactory(std::function<Interceptor*(ClientRpcInfo*)> make)
      : make_(std::move(make)) {}
  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override { return make_(info); }

 private:
  const std::function<Interceptor*(ClientRpcInfo*)> make_;
};

class PooledChannelInterceptorTest : public testing::TestWithParam<ChannelKind> {
 protected:
  ChannelUnderTest Connect(PooledChannel::Interceptors interceptors, PoolOptions options = {}) {
    return ChannelUnderTest(GetParam(), server_.target(), {}, std::move(interceptors),
                            std::move(options));
  }
  CallResult Call(const ChannelUnderTest& channel, CallApi api, RpcType type) {
    grpc::ClientContext context;
    context.set_deadline(Patiently());
    context.set_wait_for_ready(true);
    return MakeCall(api, type, channel.get(), &context, EchoRequests(2));
  }
  PooledChannel::Interceptors Scribes() {
    PooledChannel::Interceptors scribes;
    for (const char* name : {"outer", "inner"}) {
      scribes.push_back(std::make_unique<ScribeFactory>(&log_, name));
    }
    return scribes;
  }

  const ApiServer server_{ServerOptionsOf(GetParam())};
  Log log_;
};

TEST_P(PooledChannelInterceptorTest, SeeEachRpcOnceAndInTheirOrder) {
  const ChannelUnderTest channel = Connect(Scribes());
  std::vector<std::string> expected;
  for (CallApi api : kCallApis) {
    for (RpcType type :
         {RpcType::kUnary, RpcType::kClientStream, RpcType::kServerStream, RpcType::kBidiStream}) {
      EXPECT_TRUE(Call(channel, api, type).status.ok());
      const std::string method = MethodName(type);
      for (const std::string& entry :
           {absl::StrCat("outer ", method), absl::StrCat("inner ", method),
            std::string("outer sends"), std::string("inner sends"), std::string("inner status 0"),
            std::string("outer status 0"), std::string("outer gone"), std::string("inner gone")}) {
        expected.push_back(entry);
      }
    }
  }
  EXPECT_EQ(log_.entries(), expected);
  EXPECT_EQ(server_.seen().size(), std::size(kCallApis) * kRpcTypes);
  EXPECT_EQ(server_.seen().back().metadata.count("scribe"), 2u);
  channel.ExpectAllReturned();
}

TEST_P(PooledChannelInterceptorTest, MayAnswerForTheServer) {
  for (CallApi api : {CallApi::kSync, CallApi::kAsync, CallApi::kCallback}) {
    PooledChannel::Interceptors interceptors = Scribes();
    interceptors.push_back(
        std::make_unique<FunctionFactory>([](ClientRpcInfo*) { return new Hijacker; }));
    const ChannelUnderTest channel = Connect(std::move(interceptors));
    const CallResult result = Call(channel, api, RpcType::kUnary);
    EXPECT_TRUE(result.status.ok()) << result.status.error_message();
    ASSERT_EQ(result.responses.size(), 1u);
    EXPECT_EQ(result.responses[0].message(), "hijacked");
    channel.ExpectAllReturned();
  }
  EXPECT_EQ(server_.seen().size(), 0u);
}

TEST_P(PooledChannelInterceptorTest, AreNotAskedForWhatTheyDoNotWant) {
  PooledChannel::Interceptors interceptors;
  interceptors.push_back(std::make_unique<FunctionFactory>([this](ClientRpcInfo* info) {
    log_.Add(info->method());
    return nullptr;
  }));
  const ChannelUnderTest channel = Connect(std::move(interceptors));
  EXPECT_TRUE(Call(channel, CallApi::kSync, RpcType::kUnary).status.ok());
  EXPECT_THAT(log_.entries(), testing::ElementsAre(MethodName(RpcType::kUnary)));
  channel.ExpectAllReturned();
}

TEST_P(PooledChannelInterceptorTest, MayMakeRpcsOfTheirOwn) {
  std::shared_ptr<grpc::ChannelInterface> same;
  bool nested = false;
  PooledChannel::Interceptors interceptors = Scribes();
  interceptors.push_back(std::make_unique<FunctionFactory>([&](ClientRpcInfo*) {
    if (nested) return nullptr;
    nested = true;
    grpc::ClientContext context;
    context.set_deadline(Patiently());
    context.set_wait_for_ready(true);
    EXPECT_TRUE(MakeCall(CallApi::kSync, RpcType::kServerStream, same, &context, EchoRequests(1))
                    .status.ok());
    return nullptr;
  }));
  const ChannelUnderTest channel = Connect(std::move(interceptors));
  same = channel.get();
  EXPECT_TRUE(Call(channel, CallApi::kSync, RpcType::kUnary).status.ok());
  EXPECT_EQ(server_.seen().size(), 2u);
  EXPECT_EQ(log_.entries().size(), 16u) << absl::StrJoin(log_.entries(), "\n");
  channel.ExpectAllReturned();
}

TEST_P(PooledChannelInterceptorTest, OutliveTheChannelWithTheirRpc) {
  grpc::ClientContext context;
  context.set_deadline(Patiently());
  context.set_wait_for_ready(true);
  std::unique_ptr<grpc::ClientReaderWriter<echo::v1::EchoRequest, EchoResponse>> stream;
  {
    const ChannelUnderTest channel = Connect(Scribes());
    stream = echo::v1::Echo::NewStub(channel.get())->BidiStream(&context);
  }
  EXPECT_TRUE(stream->Write({}));
  EchoResponse response;
  EXPECT_TRUE(stream->Read(&response));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_THAT(log_.entries(), testing::Contains("outer status 0").Times(1));
}

// The pool's own RPCs are none of theirs. Ordinary channels make none.
TEST_P(PooledChannelInterceptorTest, DoNotSeeHealthChecks) {
  PoolOptions options;
  options.health.interval = absl::Milliseconds(100);
  options.health.timeout = absl::Milliseconds(100);
  const ChannelUnderTest channel = Connect(Scribes(), options);
  if (channel.pooled() != nullptr) {
    const auto served = [&] {
      const PoolStats stats = channel.pooled()->Stats();
      return stats.health_checks[static_cast<int>(HealthResult::kServing)];
    };
    // The watch is one; members are checked one by one on top.
    const int64_t enough = HasMembers(GetParam()) ? 5 : 1;
    EXPECT_TRUE(Eventually([&] { return served() >= enough; }));
  }
  EXPECT_THAT(log_.entries(), testing::IsEmpty());
  EXPECT_TRUE(Call(channel, CallApi::kSync, RpcType::kUnary).status.ok());
  EXPECT_EQ(log_.entries().size(), 8u) << absl::StrJoin(log_.entries(), "\n");
  channel.ExpectAllReturned();
}

INSTANTIATE_TEST_SUITE_P(All, PooledChannelInterceptorTest, testing::ValuesIn(kChannelKinds),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace predial
