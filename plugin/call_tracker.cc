#include "plugin/call_tracker.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "plugin/io/rpc_outcome.h"

namespace predial {
namespace {

using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

thread_local StartingRpc* starting_rpc = nullptr;

RpcType TypeOf(const ClientRpcInfo& info) {
  switch (info.type()) {
    case ClientRpcInfo::Type::CLIENT_STREAMING:
      return RpcType::kClientStream;
    case ClientRpcInfo::Type::SERVER_STREAMING:
      return RpcType::kServerStream;
    case ClientRpcInfo::Type::BIDI_STREAMING:
      return RpcType::kBidiStream;
    case ClientRpcInfo::Type::UNARY:
    case ClientRpcInfo::Type::UNKNOWN:
      break;
  }
  return RpcType::kUnary;
}

// Of a server's name. What is longer is cut.
constexpr size_t kBackendBytesMax = 128;

class CallTracker : public Interceptor {
 public:
  // `backend_metadata`: where the server names itself; empty if nobody asks.
  CallTracker(Lease lease, const ClientRpcInfo& info, PoolEvents* events, Time began,
              const std::string& backend_metadata)
      : lease_(std::move(lease)), events_(events), began_(began) {
    if (info.type() != ClientRpcInfo::Type::UNARY) lease_.DoNotMeasure();
    if (!backend_metadata.empty() && lease_.wants_name()) backend_metadata_ = &backend_metadata;
    if (events_ != nullptr) started_ = events_->OnRpcStarted(TypeOf(info), info.method());
  }

  // Nobody asked for the status: the caller dropped its context.
  ~CallTracker() override { Report(PoolEvents::kUnobserved); }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (backend_metadata_ != nullptr &&
        methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      LearnName(*methods->GetRecvInitialMetadata());
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS)) {
      const grpc::Status& status = *methods->GetRecvStatus();
      lease_.End(JudgeOutcome(status));
      Report(status.error_code());
    }
    methods->Proceed();
  }

 private:
  void LearnName(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
    const auto found = metadata.find(*std::exchange(backend_metadata_, nullptr));
    if (found == metadata.end() || found->second.empty()) return;
    lease_.Named(
        absl::string_view(found->second.data(), found->second.size()).substr(0, kBackendBytesMax));
  }
  void Report(int code) {
    if (events_ == nullptr) return;
    events_->OnRpcEnded(started_, code, Clock::now() - began_);
    events_ = nullptr;
  }

  Lease lease_;
  PoolEvents* events_;  // null once the end is reported
  const Time began_;
  void* started_ = nullptr;
  const std::string* backend_metadata_ = nullptr;  // of the factory's targets; null: not wanted
};

// A channel's share in one of the user's factories.
class SharedFactory : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  SharedFactory(SharedInterceptorFactories user, size_t index)
      : user_(std::move(user)), index_(index) {}

  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override {
    if (starting_rpc == nullptr) return nullptr;
    return (*user_)[index_]->CreateClientInterceptor(info);
  }

 private:
  const SharedInterceptorFactories user_;
  const size_t index_;
};

}  // namespace

StartingRpc::StartingRpc(Lease lease, Time began)
    : lease_(std::move(lease)), began_(began), outer_(starting_rpc) {
  starting_rpc = this;
}

StartingRpc::~StartingRpc() { starting_rpc = outer_; }

Interceptor* CallTrackerFactory::CreateClientInterceptor(ClientRpcInfo* info) {
  if (starting_rpc == nullptr) return nullptr;
  return new CallTracker(std::move(starting_rpc->lease_), *info, targets_->events.get(),
                         starting_rpc->began_, targets_->backend_metadata);
}

InterceptorFactories MakeInterceptorFactories(const SharedInterceptorFactories& user,
                                              std::shared_ptr<const TrackerTargets> targets,
                                              std::shared_ptr<grpc::Channel> callback_owner) {
  InterceptorFactories factories;
  if (user != nullptr) {
    for (size_t i = 0; i < user->size(); ++i) {
      factories.push_back(std::make_unique<SharedFactory>(user, i));
    }
  }
  factories.push_back(
      std::make_unique<CallTrackerFactory>(std::move(targets), std::move(callback_owner)));
  return factories;
}

}  // namespace predial
