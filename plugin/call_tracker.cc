#include "plugin/call_tracker.h"

#include <google/protobuf/message_lite.h>
#include <grpcpp/impl/codegen/interceptor_common.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "plugin/bare_batch.h"
#include "plugin/channel_access.h"
#include "plugin/io/rpc_outcome.h"
#include "plugin/mutex.h"
#include "plugin/never_sent_retry.h"
#include "plugin/response_begun.h"
#include "plugin/sync_call.h"
#include "plugin/unary_receiver.h"

namespace predial {
namespace {

using google::protobuf::MessageLite;
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

// The end of a retry, waited for by the thread of its RPC.
class RetryEnd {
 public:
  void Set(bool resent) {
    MutexLock lock(mutex_);
    resent_ = resent;
    changed_.notify_all();  // under the lock: this goes next
  }
  bool Wait() {
    std::unique_lock<Mutex> lock(mutex_);
    changed_.wait(lock, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return resent_.has_value(); });
    return *resent_;
  }

 private:
  Mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<bool> resent_;
};

class CallTracker : public Interceptor,
                    public grpc::internal::CallHook,
                    private BareBatch::Listener {
 public:
  // `callback_owner`: see CallTrackerFactory. `alone`: the RPC has no other interceptor.
  CallTracker(Lease lease, ClientRpcInfo& info, const TrackerTargets& targets, Time began,
              grpc::Channel& callback_owner, bool alone)
      : lease_(std::move(lease)),
        info_(info),
        targets_(targets),
        events_(targets.events.get()),
        began_(began),
        callback_owner_(callback_owner),
        alone_(alone && info.type() == ClientRpcInfo::Type::UNARY),
        may_retry_(targets.retries->enabled() && lease_.source() != Lease::Source::kAnchor &&
                   info.type() == ClientRpcInfo::Type::UNARY) {
    if (info.type() != ClientRpcInfo::Type::UNARY) lease_.DoNotMeasure();
    if (!targets.backend_metadata.empty() && lease_.wants_name()) {
      backend_metadata_ = &targets.backend_metadata;
    }
    if (events_ != nullptr) started_ = events_->OnRpcStarted(TypeOf(info), info.method());
    handed_over_.store(true, std::memory_order_release);
  }

  // Nobody asked for the status: the caller dropped its context.
  ~CallTracker() override {
    handed_over_.load(std::memory_order_acquire);
    Report(PoolEvents::kUnobserved);
  }

  // Whether the RPC's batches are to go through PerformOpsOnCall().
  bool is_hook() const { return may_retry_ || alone_; }

  // Of the batches of one RPC, the last one started receives the status.
  void PerformOpsOnCall(grpc::internal::CallOpSetInterface* batch,
                        grpc::internal::Call* call) override {
    const bool sync = info_.type() == ClientRpcInfo::Type::UNARY && IsSyncCall(call->cq());
    if (sync) lease_.SetBlocking();
    if (alone_ && backend_metadata_ == nullptr) {
      WholeUnaryBatch* const whole = AsWholeUnaryBatch(*batch);
      if (whole != nullptr && sync) return PerformSync(*whole, *call);
      if (whole != nullptr && call->cq() == ChannelAccess::CallbackCQ(&callback_owner_)) {
        return PerformWithCallback(*whole, *call);
      }
    }
    if (bool* got_message = GotMessageOf(*batch)) got_message_ = got_message;
    batch->FillOps(call);
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    if (backend_metadata_ != nullptr &&
        methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      LearnName(*methods->GetRecvInitialMetadata());
    }
    if (lease_.wants_message() &&
        methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_MESSAGE) &&
        methods->GetRecvMessage() != nullptr) {
      lease_.NoteMessage();
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_CANCEL)) {
      Cancel();
    } else if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS)) {
      if (may_retry_) ShowSent(methods);
      if (OnStatus(*methods->GetRecvStatus(), methods)) return;
    } else if (may_retry_) {
      Keep(methods);
    }
    methods->Proceed();
  }

 private:
  using Batch = grpc::internal::InterceptorBatchMethodsImpl;

  // Without an interceptor, which costs more. What a retry takes is there as long as the RPC; of a
  // synchronous one, its request too.
  void PerformSync(WholeUnaryBatch& batch, const grpc::internal::Call& call) {
    bare_.SetSync(batch);
    PerformBare(batch, call);
    bare_.TellOfEnd(this);
  }

  void PerformWithCallback(WholeUnaryBatch& batch, const grpc::internal::Call& call) {
    bare_.SetCallback(batch, this, may_retry_ ? &request_ : nullptr);
    handed_over_.store(true, std::memory_order_release);
    PerformBare(batch, call);  // the RPC may have ended when it returns, and this may be gone
  }

  void PerformBare(WholeUnaryBatch& batch, const grpc::internal::Call& call) {
    // As of an RPC without interceptors.
    grpc::internal::Call bare(call.call(), this, call.cq());
    batch.FillOps(&bare);
  }

  void OnBatchEnded() override {
    message_ = bare_.message();
    got_message_ = &bare_.got_message();
    if (!OnStatus(bare_.status(), nullptr) && bare_.has_callback()) bare_.RunCallback();
  }

  // What a retry takes.
  void Keep(InterceptorBatchMethods* methods) {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
      request_ = *methods->GetSerializedSendMessage();
      sending_ = methods;
    } else {
      ShowSent(methods);
    }
    if (void* message = methods->GetRecvMessage()) message_ = static_cast<MessageLite*>(message);
  }

  // Serializing the message early makes gRPC forget to tell the user's interceptors that it was
  // sent.
  void ShowSent(InterceptorBatchMethods* methods) {
    if (methods != sending_) return;
    sending_ = nullptr;
    static_cast<Batch*>(methods)->AddInterceptionHookPoint(
        InterceptionHookPoints::POST_SEND_MESSAGE);
  }

  // True if the RPC goes on, or has gone on. `methods`: of the batch, null if that is bare_.
  bool OnStatus(const grpc::Status& status, InterceptorBatchMethods* methods) {
    handed_over_.load(std::memory_order_acquire);
    RpcOutcome outcome = JudgeOutcome(status);
    if (outcome == RpcOutcome::kConnectionGone && targets_.many_connections) {
      outcome = RpcOutcome::kFailed;
    }
    const bool on_member = lease_ && lease_.source() != Lease::Source::kAnchor;
    if (outcome == RpcOutcome::kFailed && on_member && targets_.managed &&
        !targets_.many_connections && lease_.slot().HasLeft()) {
      outcome = RpcOutcome::kConnectionGone;  // whatever it says
    }
    if (outcome == RpcOutcome::kConnectionGone && on_member) {
      const std::optional<NeverSent> never_sent = NeverSentBy(status);
      lease_.NoteGone(/*without_a_word=*/!never_sent);
      if (Retry(never_sent, methods)) return true;
      lease_.End();
    }
    lease_.End(outcome);
    Report(status.error_code());
    return false;
  }

  // Why no server saw the RPC, which ended with its connection; no value if one may have.
  std::optional<NeverSent> NeverSentBy(const grpc::Status& status) const {
    if (!targets_.managed) return WasNeverSent(status);
    // What a connection refuses is sent again by gRPC, until it finds none.
    if (!FoundNoConnection(status, info_.client_context()->debug_error_string())) {
      return std::nullopt;
    }
    return NeverSent::kUnconnected;
  }

  bool Retry(std::optional<NeverSent> reason, InterceptorBatchMethods* methods) {
    RetryLedger& ledger = *targets_.retries;
    const bool certain = reason == NeverSent::kUnconnected;
    if (!reason || (!certain && HasResponseBegun(info_.client_context()))) {
      return Lose(LossReason::kInFlight);
    }
    if (info_.type() != ClientRpcInfo::Type::UNARY) return Lose(LossReason::kStream);
    if (!ledger.enabled()) return Lose(LossReason::kBudget);
    const bool sync = bare_.is_sync();
    if (sync) request_ = bare_.SerializeRequest();
    if (got_message_ == nullptr || message_ == nullptr || !request_.Valid()) {
      return Lose(LossReason::kMessages);
    }
    if (!ledger.Begin()) return Lose(LossReason::kBudget);
    if (certain) lease_.NoteRefusal();  // it need not be asked
    RetryEnd end;                       // of a synchronous one
    NeverSentRetry::Done done = [this, methods, reason](bool resent) {
      OnRetried(methods, *reason, resent);
    };
    if (sync) done = [&end](bool resent) { end.Set(resent); };
    // Not an RPC of a user, should one be just starting on this thread.
    StartingRpc* const starting = std::exchange(starting_rpc, nullptr);
    const std::shared_ptr<NeverSentRetry> retry = NeverSentRetry::Create(
        targets_.runtime->poller(), *targets_.table, std::move(lease_),
        {info_.client_context(), info_.method(), std::move(request_)}, std::move(done));
    std::atomic_store(&retry_, retry);
    if (cancelled_) retry->Cancel();
    retry->Start();  // unless it is synchronous, this may be gone from here on
    starting_rpc = starting;
    if (sync) OnRetried(nullptr, *reason, end.Wait());
    return true;
  }

  bool Lose(LossReason reason) {
    targets_.retries->CountLost(reason);
    return false;
  }

  // On the poller's thread; of a synchronous RPC, on its own. No `methods`: the batch is bare_.
  void OnRetried(InterceptorBatchMethods* methods, NeverSent reason, bool resent) {
    targets_.retries->End();
    grpc::Status& status = methods == nullptr ? bare_.status() : *methods->GetRecvStatus();
    if (resent) {
      targets_.retries->CountRetried(reason);
      ChannelAccess::MoveResponse(retry_->context(), *info_.client_context());
      status = retry_->status();
      if (status.ok()) TakeMessage(methods);
    } else if (retry_->cancelled()) {
      status = grpc::Status(grpc::StatusCode::CANCELLED, "CANCELLED");
    } else {
      Lose(LossReason::kInFlight);
    }
    if (bare_.is_sync() && status.ok() && !*got_message_) {
      // What gRPC says, which has looked already.
      status =
          grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "No message returned for unary request");
    }
    Report(status.error_code());
    if (methods != nullptr) return methods->Proceed();
    if (bare_.has_callback()) bare_.RunCallback();
  }

  void TakeMessage(InterceptorBatchMethods* methods) {
    *got_message_ =
        grpc::SerializationTraits<MessageLite>::Deserialize(&retry_->response(), message_).ok();
    // As gRPC shows a message of its own to the user's interceptors.
    if (*got_message_ && methods != nullptr) {
      static_cast<Batch*>(methods)->SetRecvMessage(message_, &not_hijacked_);
    }
  }

  // On the thread that cancels the RPC, while it may be ending.
  void Cancel() {
    cancelled_ = true;
    if (const std::shared_ptr<NeverSentRetry> retry = std::atomic_load(&retry_)) retry->Cancel();
  }

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
  ClientRpcInfo& info_;
  const TrackerTargets& targets_;
  PoolEvents* events_;  // null once the end is reported
  const Time began_;
  void* started_ = nullptr;
  // gRPC hands the RPC from the thread that starts it to the one that ends it; ThreadSanitizer,
  // which does not see into gRPC, sees this.
  std::atomic<bool> handed_over_{false};
  const std::string* backend_metadata_ = nullptr;  // of the factory's targets; null: not wanted

  grpc::Channel& callback_owner_;
  const bool alone_;  // and unary
  const bool may_retry_;
  BareBatch bare_;  // once it is performed without interceptors
  grpc::ByteBuffer request_;
  InterceptorBatchMethods* sending_ = nullptr;  // of the batch with the message, until it was sent
  MessageLite* message_ = nullptr;              // where the answer belongs
  bool* got_message_ = nullptr;
  bool not_hijacked_ = false;
  std::atomic<bool> cancelled_{false};
  std::shared_ptr<NeverSentRetry> retry_;
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
    : lease_(std::move(lease)),
      slot_(lease_ ? &lease_.slot() : nullptr),
      began_(began),
      outer_(starting_rpc) {
  starting_rpc = this;
}

StartingRpc::~StartingRpc() { starting_rpc = outer_; }

Interceptor* CallTrackerFactory::CreateClientInterceptor(ClientRpcInfo* info) {
  if (starting_rpc == nullptr) return nullptr;
  // gRPC's global factory adds to each RPC.
  const bool alone = alone_ && grpc::internal::g_global_client_interceptor_factory == nullptr;
  auto* const tracker = new CallTracker(std::move(starting_rpc->lease_), *info, *targets_,
                                        starting_rpc->began_, *callback_owner_, alone);
  if (tracker->is_hook()) starting_rpc->hook_ = tracker;
  return tracker;
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
  const bool alone = factories.empty();
  factories.push_back(
      std::make_unique<CallTrackerFactory>(std::move(targets), std::move(callback_owner), alone));
  return factories;
}

}  // namespace predial
