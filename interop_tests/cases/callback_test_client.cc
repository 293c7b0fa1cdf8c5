// TestClient over reactors: each operation is started by the caller, who then waits for gRPC's
// thread to report it done.
#include <grpcpp/support/client_callback.h>

#include <condition_variable>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "interop_tests/cases/test_client.h"
#include "plugin/mutex.h"

namespace predial {
namespace {

using grpc::testing::Empty;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;
using grpc::testing::TestService;
using grpc::testing::UnimplementedService;

// Hands one value at a time from gRPC's thread to the caller's.
template <typename Value>
class Handover {
 public:
  // Shows ThreadSanitizer, which does not see how gRPC's threads get here, that this came first.
  Handover() { MutexLock lock(mutex_); }
  void Put(const Value& value) {
    MutexLock lock(mutex_);
    value_ = value;
    there_ = true;
    changed_.notify_all();  // under the lock: the waiter owns this
  }
  Value Take() {
    std::unique_lock<Mutex> lock(mutex_);
    changed_.wait(lock, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return there_; });
    there_ = false;
    return value_;
  }

 private:
  Mutex mutex_;
  std::condition_variable_any changed_;
  Value value_ ABSL_GUARDED_BY(mutex_) = {};
  bool there_ ABSL_GUARDED_BY(mutex_) = false;
};

// The part of a reactor that is the same for all streams. Holds the RPC from its start to Finish(),
// because operations are started from outside of gRPC's callbacks.
template <typename Reactor>
class Blocking : public Reactor {
 public:
  explicit Blocking(grpc::ClientContext* context) : context_(context) {}
  ~Blocking() override {
    if (finished_) return;
    context_->TryCancel();
    FinishNow();
  }

 protected:
  void Start() {
    this->AddHold();
    this->StartCall();
  }
  bool Await() { return done_.Take(); }
  void Done(bool ok) { done_.Put(ok); }
  grpc::Status FinishNow() {
    finished_ = true;
    this->RemoveHold();
    return status_.Take();
  }

 private:
  void OnDone(const grpc::Status& status) override { status_.Put(status); }

  grpc::ClientContext* const context_;
  Handover<bool> done_;
  Handover<grpc::Status> status_;
  bool finished_ = false;
};

class CallbackInput final : public InputStream,
                            private Blocking<grpc::ClientWriteReactor<StreamingInputCallRequest>> {
 public:
  CallbackInput(TestService::Stub& stub, grpc::ClientContext* context,
                StreamingInputCallResponse* response)
      : Blocking(context) {
    stub.async()->StreamingInputCall(context, response, this);
    Start();
  }
  bool Write(const StreamingInputCallRequest& request, const grpc::WriteOptions& options) override {
    StartWrite(&request, options);
    return Await();
  }
  bool WritesDone() override {
    StartWritesDone();
    return Await();
  }
  grpc::Status Finish() override { return FinishNow(); }

 private:
  void OnWriteDone(bool ok) override { Done(ok); }
  void OnWritesDoneDone(bool ok) override { Done(ok); }
};

class CallbackOutput final
    : public OutputStream,
      private Blocking<grpc::ClientReadReactor<StreamingOutputCallResponse>> {
 public:
  CallbackOutput(TestService::Stub& stub, grpc::ClientContext* context,
                 const StreamingOutputCallRequest& request)
      : Blocking(context) {
    stub.async()->StreamingOutputCall(context, &request, this);
    Start();
  }
  bool Read(StreamingOutputCallResponse* response) override {
    StartRead(response);
    return Await();
  }
  grpc::Status Finish() override { return FinishNow(); }

 private:
  void OnReadDone(bool ok) override { Done(ok); }
};

using BidiReactor =
    grpc::ClientBidiReactor<StreamingOutputCallRequest, StreamingOutputCallResponse>;

class CallbackDuplex final : public DuplexStream, private Blocking<BidiReactor> {
 public:
  // `prepare` gives the reactor to the stub.
  template <typename Prepare>
  CallbackDuplex(grpc::ClientContext* context, const Prepare& prepare) : Blocking(context) {
    prepare(static_cast<BidiReactor*>(this));
    Start();
  }
  bool Write(const StreamingOutputCallRequest& request) override {
    StartWrite(&request);
    return Await();
  }
  bool WritesDone() override {
    StartWritesDone();
    return Await();
  }
  bool Read(StreamingOutputCallResponse* response) override {
    StartRead(response);
    return Await();
  }
  grpc::Status Finish() override { return FinishNow(); }

 private:
  void OnWriteDone(bool ok) override { Done(ok); }
  void OnWritesDoneDone(bool ok) override { Done(ok); }
  void OnReadDone(bool ok) override { Done(ok); }
};

class UnaryReactor final : public grpc::ClientUnaryReactor {
 public:
  grpc::Status Call() {
    StartCall();
    return status_.Take();
  }

 private:
  void OnDone(const grpc::Status& status) override { status_.Put(status); }

  Handover<grpc::Status> status_;
};

class CallbackTestClient final : public TestClient {
 public:
  explicit CallbackTestClient(const std::shared_ptr<grpc::ChannelInterface>& channel)
      : stub_(TestService::NewStub(channel)),
        unimplemented_stub_(UnimplementedService::NewStub(channel)) {}

  grpc::Status EmptyCall(grpc::ClientContext* context, const Empty& request,
                         Empty* response) override {
    UnaryReactor reactor;
    stub_->async()->EmptyCall(context, &request, response, &reactor);
    return reactor.Call();
  }
  grpc::Status UnaryCall(grpc::ClientContext* context, const SimpleRequest& request,
                         SimpleResponse* response) override {
    UnaryReactor reactor;
    stub_->async()->UnaryCall(context, &request, response, &reactor);
    return reactor.Call();
  }
  grpc::Status UnimplementedCall(grpc::ClientContext* context, const Empty& request,
                                 Empty* response) override {
    UnaryReactor reactor;
    stub_->async()->UnimplementedCall(context, &request, response, &reactor);
    return reactor.Call();
  }
  grpc::Status UnimplementedServiceCall(grpc::ClientContext* context, const Empty& request,
                                        Empty* response) override {
    UnaryReactor reactor;
    unimplemented_stub_->async()->UnimplementedCall(context, &request, response, &reactor);
    return reactor.Call();
  }
  std::unique_ptr<InputStream> StreamingInputCall(grpc::ClientContext* context,
                                                  StreamingInputCallResponse* response) override {
    return std::make_unique<CallbackInput>(*stub_, context, response);
  }
  std::unique_ptr<OutputStream> StreamingOutputCall(
      grpc::ClientContext* context, const StreamingOutputCallRequest& request) override {
    return std::make_unique<CallbackOutput>(*stub_, context, request);
  }
  std::unique_ptr<DuplexStream> FullDuplexCall(grpc::ClientContext* context) override {
    return std::make_unique<CallbackDuplex>(
        context, [&](BidiReactor* reactor) { stub_->async()->FullDuplexCall(context, reactor); });
  }
  std::unique_ptr<DuplexStream> HalfDuplexCall(grpc::ClientContext* context) override {
    return std::make_unique<CallbackDuplex>(
        context, [&](BidiReactor* reactor) { stub_->async()->HalfDuplexCall(context, reactor); });
  }

 private:
  const std::unique_ptr<TestService::Stub> stub_;
  const std::unique_ptr<UnimplementedService::Stub> unimplemented_stub_;
};

}  // namespace

std::unique_ptr<TestClient> MakeCallbackTestClient(
    const std::shared_ptr<grpc::ChannelInterface>& channel) {
  return std::make_unique<CallbackTestClient>(channel);
}

}  // namespace predial
