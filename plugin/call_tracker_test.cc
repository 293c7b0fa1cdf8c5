#include "plugin/call_tracker.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "grpcpp/client_context.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/health_test_util.h"
#include "plugin/lame_channel.h"
#include "plugin/member_table.h"
#include "plugin/mutex.h"
#include "plugin/observer.h"
#include "plugin/recorded_signals.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;
using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

// Remembers the RPCs that are reported.
class RecordedRpcs : public PoolEvents {
 public:
  struct Rpc {
    RpcType type;
    std::string method;
    std::vector<int> ends;  // one code for each end that was reported
  };

  void* OnRpcStarted(RpcType type, absl::string_view method) override {
    MutexLock lock(mutex_);
    rpcs_.push_back(std::make_unique<Rpc>(Rpc{type, std::string(method), {}}));
    return rpcs_.back().get();
  }
  void OnRpcEnded(void* started, int code, Duration took) override {
    MutexLock lock(mutex_);
    static_cast<Rpc*>(started)->ends.push_back(code);
    EXPECT_GE(took, Duration::zero());
  }

  std::vector<Rpc> Take() {
    MutexLock lock(mutex_);
    std::vector<Rpc> taken;
    for (const auto& rpc : rpcs_) taken.push_back(*rpc);
    rpcs_.clear();
    return taken;
  }

 private:
  Mutex mutex_;
  std::vector<std::unique_ptr<Rpc>> rpcs_ ABSL_GUARDED_BY(mutex_);
};

// A user's factory made of a function.
class FunctionFactory : public ClientInterceptorFactoryInterface {
 public:
  using Function = std::function<Interceptor*(ClientRpcInfo*)>;
  explicit FunctionFactory(Function function) : function_(std::move(function)) {}
  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override { return function_(info); }

 private:
  const Function function_;
};

// Answers for the server.
class Hijacker : public Interceptor {
 public:
  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->Hijack();
      return;
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_STATUS)) {
      *methods->GetRecvStatus() = grpc::Status(grpc::StatusCode::ABORTED, "hijacked");
    }
    methods->Proceed();
  }
};

class CallTrackerTest : public testing::Test {
 protected:
  CallTrackerTest() {
    auto targets = std::make_shared<TrackerTargets>();
    targets->table = std::make_shared<MemberTable>(
        MemberTable::Options{/*capacity=*/1, PickerKind::kRoundRobin, /*alive_check=*/false},
        signalled_.Receivers());
    targets->retries = std::make_shared<RetryLedger>(0);
    targets->events = events_;
    targets_ = targets;
  }
  // The channel's factory owns the table, whose slot owns the channel.
  ~CallTrackerTest() override {
    if (slot_ == nullptr) return;
    targets_->table->Close(slot_);
    EXPECT_TRUE(targets_->table->Free(slot_));
  }

  void Open(std::vector<FunctionFactory::Function> user = {}) {
    auto factories = std::make_shared<InterceptorFactories>();
    for (auto& function : user) {
      factories->push_back(std::make_unique<FunctionFactory>(std::move(function)));
    }
    auto channel = CreateOrdinaryChannel(AddressOf(*server_).ToGrpcTarget(),
                                         grpc::InsecureChannelCredentials(), {},
                                         MakeInterceptorFactories(factories, targets_, owner_));
    stub_ = Echo::NewStub(channel);
    slot_ = targets_->table->Open(MemberId{1}, std::move(channel), 0);
    targets_->table->SetFallback(slot_);
  }
  Lease Acquire() { return targets_->table->Acquire(); }

  // As PooledChannel::CreateCall() does it, for one RPC.
  grpc::Status Call(const EchoRequest& request = {}) {
    grpc::ClientContext context;
    EchoResponse response;
    const StartingRpc starting(Acquire(), Clock::now());
    return stub_->Unary(&context, request, &response);
  }

  const std::unique_ptr<EchoServer> server_ = StartEchoServer();
  const std::shared_ptr<grpc::Channel> owner_ =
      CreateLameChannel("test", grpc::Status(grpc::StatusCode::INTERNAL, "not for RPCs"));
  const std::shared_ptr<RecordedRpcs> events_ = std::make_shared<RecordedRpcs>();
  RecordedSignals signalled_;
  std::shared_ptr<const TrackerTargets> targets_;
  Slot* slot_ = nullptr;
  std::unique_ptr<Echo::Stub> stub_;
};

TEST_F(CallTrackerTest, GivesTheLeaseBackWithTheStatus) {
  Open();
  grpc::ClientContext context;
  EchoResponse response;
  {
    const StartingRpc starting(Acquire(), Clock::now());
    EXPECT_EQ(slot_->in_flight(), 1);
    EXPECT_TRUE(stub_->Unary(&context, {}, &response).ok());
  }
  // The context, which owns the interceptor, is still there.
  EXPECT_EQ(slot_->in_flight(), 0);
  EXPECT_EQ(slot_->rpcs(), 1u);
  EXPECT_TRUE(slot_->proved());
  const auto rpcs = events_->Take();
  ASSERT_EQ(rpcs.size(), 1u);
  EXPECT_EQ(rpcs[0].type, RpcType::kUnary);
  EXPECT_EQ(rpcs[0].method, "/predial.echo.v1.Echo/Unary");
  EXPECT_EQ(rpcs[0].ends, std::vector<int>{grpc::StatusCode::OK});
}

TEST_F(CallTrackerTest, ReportsTheCode) {
  Open();
  EchoRequest request;
  request.set_status_code(grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(Call(request).error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(events_->Take().at(0).ends, std::vector<int>{grpc::StatusCode::DATA_LOSS});
}

TEST_F(CallTrackerTest, WithoutEventsTheLeaseIsGivenBackAllTheSame) {
  auto targets = std::make_shared<TrackerTargets>();
  targets->table = targets_->table;
  targets->retries = targets_->retries;
  targets_ = targets;
  Open();
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(slot_->in_flight(), 0);
  EXPECT_TRUE(events_->Take().empty());
}

TEST_F(CallTrackerTest, AStatusThatNobodyAsksForIsUnobserved) {
  Open();
  {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoResponse>> stream;
    {
      const StartingRpc starting(Acquire(), Clock::now());
      stream = stub_->BidiStream(&context);
    }
    EXPECT_TRUE(stream->Write({}));
    EXPECT_EQ(slot_->in_flight(), 1);
    context.TryCancel();
  }
  EXPECT_EQ(slot_->in_flight(), 0);
  const auto rpcs = events_->Take();
  ASSERT_EQ(rpcs.size(), 1u);
  EXPECT_EQ(rpcs[0].type, RpcType::kBidiStream);
  EXPECT_EQ(rpcs[0].ends, std::vector<int>{PoolEvents::kUnobserved});
}

TEST_F(CallTrackerTest, ALeaseThatNoInterceptorTookIsGivenBack) {
  Open();
  {
    const StartingRpc starting(Acquire(), Clock::now());
    EXPECT_EQ(&starting.slot(), slot_);
    EXPECT_EQ(slot_->in_flight(), 1);
  }
  EXPECT_EQ(slot_->in_flight(), 0);
}

TEST_F(CallTrackerTest, RpcsThatThePoolDidNotStartAreNotTracked) {
  int asked = 0;
  Open({[&](ClientRpcInfo*) {
    ++asked;
    return nullptr;
  }});
  grpc::ClientContext context;
  EchoResponse response;
  EXPECT_TRUE(stub_->Unary(&context, {}, &response).ok());
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(events_->Take().empty());
  EXPECT_EQ(slot_->rpcs(), 0u);
}

TEST_F(CallTrackerTest, AnRpcWithinTheStartOfAnotherHasItsOwnLease) {
  int depth = 0;
  Open({[&](ClientRpcInfo*) -> Interceptor* {
    if (++depth > 1) return nullptr;
    EXPECT_EQ(slot_->in_flight(), 1);
    EchoRequest request;
    request.set_status_code(grpc::StatusCode::ABORTED);
    EXPECT_EQ(Call(request).error_code(), grpc::StatusCode::ABORTED);
    EXPECT_EQ(slot_->in_flight(), 1);
    return nullptr;
  }});
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(depth, 2);
  EXPECT_EQ(slot_->in_flight(), 0);
  EXPECT_EQ(slot_->rpcs(), 2u);
  const auto rpcs = events_->Take();
  ASSERT_EQ(rpcs.size(), 2u);
  EXPECT_EQ(rpcs[0].ends, std::vector<int>{grpc::StatusCode::ABORTED});
  EXPECT_EQ(rpcs[1].ends, std::vector<int>{grpc::StatusCode::OK});
}

TEST_F(CallTrackerTest, AnRpcThatAUsersInterceptorAnswersGivesItsLeaseBackWithItsContext) {
  Open({[](ClientRpcInfo*) { return new Hijacker; }});
  EXPECT_EQ(Call().error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(slot_->in_flight(), 0);
  EXPECT_FALSE(slot_->proved());
  EXPECT_EQ(server_->rpcs(), 0);
  EXPECT_EQ(events_->Take().at(0).ends, std::vector<int>{PoolEvents::kUnobserved});
}

TEST_F(CallTrackerTest, NextToTheWireItSeesTheStatusBeforeTheUsers) {
  bool back = false;
  class Looker : public Interceptor {
   public:
    Looker(Slot* slot, bool* back) : slot_(slot), back_(back) {}
    void Intercept(InterceptorBatchMethods* methods) override {
      if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS)) {
        *back_ = slot_->in_flight() == 0;
      }
      methods->Proceed();
    }

   private:
    Slot* const slot_;
    bool* const back_;
  };
  Open({[&](ClientRpcInfo*) { return new Looker(slot_, &back); }});
  EXPECT_TRUE(Call().ok());
  EXPECT_TRUE(back);
}

}  // namespace
}  // namespace predial
