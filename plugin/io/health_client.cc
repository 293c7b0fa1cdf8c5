#include "plugin/io/health_client.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <optional>
#include <utility>

#include "plugin/io/rpc_outcome.h"
#include "proto/health.pb.h"

namespace predial {
namespace {

constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kWatch[] = "/grpc.health.v1.Health/Watch";

grpc::ByteBuffer Request(const std::string& service) {
  health::v1::HealthCheckRequest request;
  request.set_service(service);
  const std::string bytes = request.SerializeAsString();
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

HealthResult ResultOf(grpc::ByteBuffer& bytes) {
  health::v1::HealthCheckResponse response;
  grpc::Slice slice;
  if (!bytes.DumpToSingleSlice(&slice).ok() ||
      !response.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
    return HealthResult::kNotServing;
  }
  switch (response.status()) {
    case health::v1::HealthCheckResponse::SERVING:
      return HealthResult::kServing;
    case health::v1::HealthCheckResponse::SERVICE_UNKNOWN:
      return HealthResult::kUnimplemented;
    default:
      return HealthResult::kNotServing;
  }
}

HealthResult ResultOf(const grpc::Status& status) {
  if (JudgeOutcome(status) == RpcOutcome::kConnectionGone) return HealthResult::kNoAnswer;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      // The server itself, or a proxy whose server is down.
      return HealthResult::kNotServing;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return HealthResult::kNoAnswer;
    default:
      // UNIMPLEMENTED, NOT_FOUND for the service, PERMISSION_DENIED, …: it is there and says
      // nothing.
      return HealthResult::kUnimplemented;
  }
}

// What both calls share. Keeps itself alive while gRPC holds its tag; reports on the loop until it
// is cancelled. Work: what it is to the poller.
template <typename Work>
class HealthCall : public GrpcPoller::Tag, public std::enable_shared_from_this<HealthCall<Work>> {
 public:
  HealthCall(EventLoop& loop, GrpcPoller& poller, std::shared_ptr<grpc::Channel> channel,
             HealthWatch::Report report)
      : loop_(loop),
        queue_(poller.queue()),
        stub_(std::move(channel)),
        work_(std::in_place, poller),
        report_(std::move(report)) {}
  virtual ~HealthCall() = default;

  // The loop's thread.
  const grpc::Status& status() const { return status_; }
  void Cancel() {
    cancelled_ = true;
    report_ = nullptr;
    if (!ended_) context_.TryCancel();  // of a call that has ended, too, gRPC makes much work
  }

 protected:
  void Hold() { self_ = this->shared_from_this(); }
  // The poller's thread: gRPC holds the tag no more.
  void LetGo() {
    work_.reset();
    self_.reset();
  }

  void Report(HealthResult result, bool last) {
    loop_.Post([self = this->shared_from_this(), result, last] {
      if (self->cancelled_) return;
      self->ended_ = last;
      // Not run in place: it may cancel, and so destroy itself.
      HealthWatch::Report report = std::move(self->report_);
      report(result, last);
      if (!last && !self->cancelled_) self->report_ = std::move(report);
    });
  }

  EventLoop& loop_;
  grpc::CompletionQueue* const queue_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::ByteBuffer response_;
  grpc::Status status_;

 private:
  std::optional<Work> work_;

  // Of the loop's thread.
  HealthWatch::Report report_;
  bool cancelled_ = false;
  bool ended_ = false;

  std::shared_ptr<HealthCall> self_;
};

class CheckCall : public HealthCall<GrpcPoller::Expected> {
 public:
  using HealthCall::HealthCall;

  void Start(const std::string& service, Duration timeout) {
    Hold();
    context_.set_deadline(std::chrono::system_clock::now() + timeout);
    reader_ = stub_.PrepareUnaryCall(&context_, kCheck, Request(service), queue_);
    reader_->StartCall();
    reader_->Finish(&response_, &status_, Pass());
  }

  void OnCompleted(bool /*ok*/) override {
    Report(status_.ok() ? ResultOf(response_) : ResultOf(status_), /*last=*/true);
    LetGo();
  }

 private:
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader_;
};

class WatchCall : public HealthCall<GrpcPoller::Work> {
 public:
  using HealthCall::HealthCall;

  void Start(const std::string& service) {
    Hold();
    request_ = Request(service);
    context_.set_wait_for_ready(true);
    stream_ = stub_.PrepareCall(&context_, kWatch, queue_);
    stream_->StartCall(Pass());
  }

  // One operation at a time, each the consequence of the one before.
  void OnCompleted(bool ok) override {
    switch (step_) {
      case Step::kStart:
        if (!ok) return Finish();
        step_ = Step::kWrite;
        stream_->WriteLast(request_, grpc::WriteOptions(), Pass());
        return;
      case Step::kWrite:
        if (!ok) return Finish();
        step_ = Step::kRead;
        stream_->Read(&response_, Pass());
        return;
      case Step::kRead:
        if (!ok) return Finish();
        Report(ResultOf(response_), /*last=*/false);
        response_.Clear();
        stream_->Read(&response_, Pass());
        return;
      case Step::kFinish: {
        // An OK end says no more about the server than a broken stream does.
        const HealthResult result = status_.ok() ? HealthResult::kNoAnswer : ResultOf(status_);
        Report(result == HealthResult::kUnimplemented ? result : HealthResult::kNoAnswer,
               /*last=*/true);
        LetGo();
        return;
      }
    }
  }

 private:
  enum class Step { kStart, kWrite, kRead, kFinish };

  void Finish() {
    step_ = Step::kFinish;
    stream_->Finish(&status_, Pass());
  }

  Step step_ = Step::kStart;
  grpc::ByteBuffer request_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
};

// The owner's side: cancels when it goes.
template <typename Handle, typename Call>
class CallHandle : public Handle {
 public:
  explicit CallHandle(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  ~CallHandle() override { call_->Cancel(); }

 protected:
  const std::shared_ptr<Call> call_;
};

class CheckHandle : public CallHandle<HealthCheck, CheckCall> {
 public:
  using CallHandle::CallHandle;
  const grpc::Status& status() const override { return call_->status(); }
};

}  // namespace

std::unique_ptr<HealthCheck> HealthCheck::Start(EventLoop& loop, GrpcPoller& poller,
                                                std::shared_ptr<grpc::Channel> channel,
                                                const std::string& service, Duration timeout,
                                                HealthReport report) {
  auto call = std::make_shared<CheckCall>(
      loop, poller, std::move(channel),
      [report = std::move(report)](HealthResult result, bool /*ended*/) mutable {
        report(result);
      });
  call->Start(service, timeout);
  return std::make_unique<CheckHandle>(std::move(call));
}

std::unique_ptr<HealthWatch> HealthWatch::Start(EventLoop& loop, GrpcPoller& poller,
                                                std::shared_ptr<grpc::Channel> channel,
                                                const std::string& service, Report report) {
  auto call = std::make_shared<WatchCall>(loop, poller, std::move(channel), std::move(report));
  call->Start(service);
  return std::make_unique<CallHandle<HealthWatch, WatchCall>>(std::move(call));
}

}  // namespace predial
