// What is carried over when an RPC is sent again: its members lead to a server that refuses it by
// GOAWAY, the ordinary channel to one that serves it.
#include <grpcpp/support/client_interceptor.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "plugin/api_test_channels.h"
#include "plugin/api_test_server.h"
#include "plugin/io/address.h"
#include "plugin/io/tcp_dialer.h"
#include "plugin/mutex.h"
#include "plugin/testing/script.h"
#include "plugin/testing/scripted_server.h"
#include "plugin/unary_test_calls.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;
using grpc::StatusCode;
using grpc::experimental::InterceptionHookPoints;
using std::chrono::system_clock;

constexpr char kUnary[] = "/predial.echo.v1.Echo/Unary";

// Leads to one server, whatever it is asked for.
class ToServer final : public Dialer {
 public:
  explicit ToServer(const std::string& address) : address_(*Address::Parse(address)) {}
  std::unique_ptr<PendingDial> Dial(EventLoop& loop, const std::vector<Address>&,
                                    Done done) override {
    return tcp_->Dial(loop, {address_}, std::move(done));
  }

 private:
  const Address address_;
  const std::shared_ptr<Dialer> tcp_ = CreateTcpDialer({});
};

// Logs which points of an RPC its interceptor is shown.
class PointLog {
 public:
  class Writer final : public grpc::experimental::Interceptor {
   public:
    explicit Writer(PointLog& log) : log_(log) {}
    void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
      std::string points;
      for (int i = 0; i < static_cast<int>(InterceptionHookPoints::NUM_INTERCEPTION_HOOKS); ++i) {
        const auto point = static_cast<InterceptionHookPoints>(i);
        if (!methods->QueryInterceptionHookPoint(point)) continue;
        absl::StrAppend(&points, i, " ");
        if (point == InterceptionHookPoints::POST_RECV_STATUS) {
          absl::StrAppend(&points, "status ", methods->GetRecvStatus()->error_code(), " ");
        }
        if (point == InterceptionHookPoints::POST_RECV_MESSAGE) {
          absl::StrAppend(&points, methods->GetRecvMessage() == nullptr ? "none " : "message ");
        }
      }
      log_.Add(std::move(points));
      methods->Proceed();
    }

   private:
    PointLog& log_;
  };
  class Factory final : public grpc::experimental::ClientInterceptorFactoryInterface {
   public:
    explicit Factory(PointLog& log) : log_(log) {}
    grpc::experimental::Interceptor* CreateClientInterceptor(
        grpc::experimental::ClientRpcInfo* /*info*/) override {
      log_.Add("RPC");
      return new Writer(log_);
    }

   private:
    PointLog& log_;
  };

  PooledChannel::Interceptors factories() {
    PooledChannel::Interceptors factories;
    factories.push_back(std::make_unique<Factory>(*this));
    return factories;
  }
  void Add(std::string entry) {
    MutexLock lock(mutex_);
    entries_.push_back(std::move(entry));
  }
  std::vector<std::string> entries() {
    MutexLock lock(mutex_);
    return entries_;
  }

 private:
  Mutex mutex_;
  std::vector<std::string> entries_ ABSL_GUARDED_BY(mutex_);
};

class ResendTest : public testing::TestWithParam<UnaryApi> {
 protected:
  ResendTest() {
    refuser_.OtherwiseReply(Reply::AtEnd({Step::GoAway(kBeforeThisStream)}));
    options_.connections_min = 1;
    options_.health.enabled = false;
    options_.backoff.initial = options_.backoff.max = options_.backoff.under_demand =
        absl::Milliseconds(10);
    options_.dialer = std::make_shared<ToServer>(refuser_.address());
  }

  void Connect(const std::string& target, PooledChannel::Interceptors interceptors = {}) {
    channel_ = PooledChannel::Create(target, grpc::InsecureChannelCredentials(), {},
                                     std::move(interceptors), options_);
    ASSERT_TRUE(WaitForReadyMembers(*channel_, 1));
  }
  CallResult Call(const EchoRequest& request) { return CallUnary(context_, request); }
  CallResult CallUnary(grpc::ClientContext& context, const EchoRequest& request) {
    if (context.deadline() == system_clock::time_point::max()) context.set_deadline(Patiently());
    CallResult result = predial::CallUnary(GetParam(), channel_, &context, request);
    TakeMetadata(context, &result);
    return result;
  }
  static EchoRequest Message(const std::string& message) {
    EchoRequest request;
    request.set_message(message);
    return request;
  }
  // One that the server answers when it is cancelled.
  static EchoRequest Endless() {
    EchoRequest request;
    request.mutable_delay()->set_seconds(60);
    return request;
  }
  int64_t retried() const {
    return channel_->Stats().rpcs_retried[static_cast<size_t>(NeverSent::kGoaway)];
  }
  int64_t lost(LossReason reason) const {
    return channel_->Stats().rpcs_lost[static_cast<size_t>(reason)];
  }
  size_t refused() { return refuser_.Record().RequestsTo(kUnary).size(); }

  ScriptedServer refuser_;
  ApiServer server_;
  PoolOptions options_;
  std::shared_ptr<PooledChannel> channel_;
  grpc::ClientContext context_;
};

TEST_P(ResendTest, TheRequestAndTheResponseAreWhole) {
  Connect(server_.target());
  context_.AddMetadata("echo-initial-a", "first");
  context_.AddMetadata("echo-trailing-b", "last");
  context_.AddMetadata("some-bin", std::string("\0\1\2", 3));
  context_.set_authority("orders.example");
  const auto deadline = system_clock::now() + std::chrono::minutes(5);
  context_.set_deadline(deadline);
  const CallResult result = Call(Message("hello"));
  ASSERT_TRUE(result.status.ok()) << result.status.error_message();
  ASSERT_EQ(result.responses.size(), 1u);
  EXPECT_EQ(result.responses[0].message(), "hello");
  EXPECT_EQ(OnlyValue(result.initial, "echo-initial-a"), "first");
  EXPECT_EQ(OnlyValue(result.trailing, "echo-trailing-b"), "last");

  EXPECT_EQ(refused(), 1u);
  ASSERT_EQ(server_.seen().size(), 1u);
  const SeenRpc seen = server_.seen()[0];
  EXPECT_EQ(seen.authority, "orders.example");
  EXPECT_EQ(OnlyValue(seen.metadata, "echo-initial-a"), "first");
  EXPECT_EQ(OnlyValue(seen.metadata, "some-bin"), std::string("\0\1\2", 3));
  EXPECT_LE(seen.deadline, deadline + std::chrono::seconds(10));
  EXPECT_GE(seen.deadline, deadline - std::chrono::seconds(10));
  EXPECT_EQ(retried(), 1);
}

TEST_P(ResendTest, TheErrorOfTheSecondAttemptIsTheRpcs) {
  Connect(server_.target());
  context_.AddMetadata("echo-trailing-b", "last");
  EchoRequest request;
  request.set_status_code(StatusCode::NOT_FOUND);
  request.set_status_message("no such order");
  const CallResult result = Call(request);
  EXPECT_EQ(result.status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(result.status.error_message(), "no such order");
  EXPECT_EQ(OnlyValue(result.trailing, "echo-trailing-b"), "last");
  EXPECT_EQ(retried(), 1);
}

TEST_P(ResendTest, CompressionIsCarriedOver) {
  ApiServerOptions refusing;
  refusing.refused_compression = {GRPC_COMPRESS_GZIP};
  const ApiServer server(refusing);
  Connect(server.target());
  context_.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  EXPECT_EQ(Call(Message(std::string(1000, 'a'))).status.error_code(), StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(retried(), 1);
}

TEST_P(ResendTest, TheDeadlineIsCarriedOver) {
  Connect(server_.target());
  context_.set_deadline(system_clock::now() + std::chrono::milliseconds(300));
  EXPECT_EQ(Call(Endless()).status.error_code(), StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(server_.seen().size(), 1u);
  EXPECT_TRUE(server_.WaitForNone());
}

TEST_P(ResendTest, CancellingTheRpcCancelsTheSecondAttempt) {
  Connect(server_.target());
  auto result = std::async(std::launch::async, [&] { return Call(Endless()); });
  ASSERT_TRUE(server_.WaitForRpcs(1));
  context_.TryCancel();
  EXPECT_EQ(result.get().status.error_code(), StatusCode::CANCELLED);
  EXPECT_TRUE(server_.WaitForNone());
}

TEST_P(ResendTest, WaitForReadyIsCarriedOver) {
  const std::string address = UnusedAddress();
  Connect(address);
  {
    grpc::ClientContext impatient;
    EXPECT_EQ(CallUnary(impatient, Message("hello")).status.error_code(), StatusCode::UNAVAILABLE);
  }
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 1));
  context_.set_wait_for_ready(true);
  auto result = std::async(std::launch::async, [&] { return Call(Message("hello")); });
  EXPECT_TRUE(refuser_.WaitForRequests(kUnary, 2));
  ApiServerOptions late;
  late.address = address;
  const ApiServer server(late);
  EXPECT_TRUE(result.get().status.ok());
}

TEST_P(ResendTest, NoMoreThanTheBudgetAtATime) {
  options_.never_sent_retries_max = 1;
  Connect(server_.target());
  auto first = std::async(std::launch::async, [&] { return Call(Endless()); });
  ASSERT_TRUE(server_.WaitForRpcs(1));
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 1));
  {
    grpc::ClientContext second;
    EXPECT_EQ(CallUnary(second, Message("hello")).status.error_code(), StatusCode::UNAVAILABLE);
  }
  EXPECT_EQ(lost(LossReason::kBudget), 1);
  context_.TryCancel();
  first.get();
  ASSERT_TRUE(WaitForReadyMembers(*channel_, 1));
  grpc::ClientContext third;
  EXPECT_TRUE(CallUnary(third, Message("hello")).status.ok());
  EXPECT_EQ(server_.seen().size(), 2u);
}

// A server that only says so has seen the RPC: its connection takes others.
TEST_P(ResendTest, AnErrorInGrpcsWordsIsNotBelieved) {
  refuser_.OtherwiseReply(Reply::Fail(StatusCode::UNAVAILABLE, "GOAWAY received"));
  Connect(server_.target());
  EXPECT_EQ(Call(Message("hello")).status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(refused(), 1u);
  EXPECT_TRUE(server_.seen().empty());
  EXPECT_EQ(lost(LossReason::kInFlight), 1);
}

TEST_P(ResendTest, TheUsersInterceptorsSeeOneRpc) {
  // gRPC shows the two batches of a reactor in no fixed order.
  if (GetParam() == UnaryApi::kReactor) GTEST_SKIP();
  PointLog whole;
  Connect(server_.target(), whole.factories());
  ASSERT_TRUE(Call(Message("hello")).status.ok());
  ASSERT_EQ(retried(), 1);

  PointLog plain;
  options_.dialer = nullptr;
  Connect(server_.target(), plain.factories());
  grpc::ClientContext context;
  ASSERT_TRUE(CallUnary(context, Message("hello")).status.ok());
  EXPECT_EQ(whole.entries(), plain.entries());
  EXPECT_GE(plain.entries().size(), 3u);
}

INSTANTIATE_TEST_SUITE_P(All, ResendTest, testing::ValuesIn(kUnaryApis), NameOfUnaryApi);

using LeftAloneTest = ResendTest;

TEST_P(LeftAloneTest, GenericRpcs) {
  Connect(server_.target());
  for (const CallApi api : {CallApi::kGenericAsync, CallApi::kGenericCallback}) {
    ASSERT_TRUE(WaitForReadyMembers(*channel_, 1));
    grpc::ClientContext context;
    context.set_deadline(Patiently());
    const CallResult result =
        MakeCall(api, RpcType::kUnary, channel_, &context, {Message("hello")});
    EXPECT_EQ(result.status.error_code(), StatusCode::UNAVAILABLE);
  }
  EXPECT_EQ(lost(LossReason::kMessages), 2);
  EXPECT_TRUE(server_.seen().empty());
}

TEST_P(LeftAloneTest, Streams) {
  refuser_.OtherwiseReply(Reply::AtHeaders({Step::GoAway(kBeforeThisStream)}));
  Connect(server_.target());
  context_.set_deadline(Patiently());
  const CallResult result =
      MakeCall(CallApi::kSync, RpcType::kBidiStream, channel_, &context_, {Message("hello")});
  EXPECT_EQ(result.status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(lost(LossReason::kStream), 1);
  EXPECT_TRUE(server_.seen().empty());
}

INSTANTIATE_TEST_SUITE_P(One, LeftAloneTest, testing::Values(UnaryApi::kSync), NameOfUnaryApi);

// All that an RPC with a callback function needs, owned by that function.
struct OwnedRpc {
  grpc::ClientContext context;
  EchoResponse response;
};

class FunctionTest : public ResendTest {
 protected:
  // What the message of the answer is, or else the status.
  std::future<std::string> Start(const std::string& message, bool throws = false) {
    auto rpc = std::make_shared<OwnedRpc>();
    rpc->context.set_deadline(Patiently());
    auto promise = std::make_shared<std::promise<std::string>>();
    std::future<std::string> result = promise->get_future();
    const EchoRequest request = Message(message);  // gone when this returns
    OwnedRpc& owned = *rpc;
    Echo::NewStub(channel_)->async()->Unary(
        &owned.context, &request, &owned.response,
        [rpc = std::move(rpc), promise, throws](const grpc::Status& status) mutable {
          const std::string answer = status.ok() ? rpc->response.message() : status.error_message();
          rpc.reset();
          promise->set_value(answer);
          if (throws) throw std::runtime_error("of the user's");
        });
    return result;
  }
};

TEST_P(FunctionTest, TheCallerNeedNotKeepTheRequestNorTheFunctionTheContext) {
  Connect(server_.target());
  EXPECT_EQ(Start("resent").get(), "resent");
  EXPECT_EQ(retried(), 1);
  options_.dialer = nullptr;
  Connect(server_.target());
  EXPECT_EQ(Start("sent").get(), "sent");
  EXPECT_EQ(retried(), 0);
}

TEST_P(FunctionTest, AnExceptionOfTheUsersEndsWithTheFunction) {
  Connect(server_.target());
  EXPECT_EQ(Start("resent", /*throws=*/true).get(), "resent");
  options_.dialer = nullptr;
  Connect(server_.target());
  EXPECT_EQ(Start("sent", /*throws=*/true).get(), "sent");
  EXPECT_EQ(Start("again").get(), "again");
}

TEST_P(FunctionTest, ManyAtATime) {
  Connect(server_.target());
  std::vector<std::future<std::string>> results;
  for (int i = 0; i < 100; ++i) results.push_back(Start(absl::StrCat(i)));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(results[i].get(), absl::StrCat(i));
}

INSTANTIATE_TEST_SUITE_P(One, FunctionTest, testing::Values(UnaryApi::kFunction), NameOfUnaryApi);

}  // namespace
}  // namespace predial
