// RPCs by reactor: of the generated stub and of the generic one.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>

#include <condition_variable>
#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "plugin/api_test_calls.h"
#include "plugin/api_test_messages.h"
#include "plugin/mutex.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

// The end of an RPC, from gRPC's thread to the test's.
class End {
 public:
  // Shows ThreadSanitizer, which does not see how gRPC's threads get here, that this came first.
  End() { MutexLock lock(mutex_); }
  void Set(const grpc::Status& status) {
    MutexLock lock(mutex_);
    status_ = status;
    set_ = true;
    changed_.notify_all();  // under the lock: the waiter owns this
  }
  grpc::Status Wait() {
    std::unique_lock<Mutex> lock(mutex_);
    changed_.wait(lock, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return set_; });
    return status_;
  }

 private:
  Mutex mutex_;
  std::condition_variable_any changed_;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
  bool set_ ABSL_GUARDED_BY(mutex_) = false;
};

class UnaryReactor final : public grpc::ClientUnaryReactor {
 public:
  grpc::Status Wait() { return end_.Wait(); }

 private:
  void OnDone(const grpc::Status& status) override { end_.Set(status); }

  End end_;
};

class WriteReactor final : public grpc::ClientWriteReactor<EchoRequest> {
 public:
  explicit WriteReactor(const EchoRequests& requests) : requests_(requests) {}
  void Start() {
    Next();
    StartCall();
  }
  grpc::Status Wait() { return end_.Wait(); }

 private:
  void OnWriteDone(bool ok) override {
    if (ok) Next();
  }
  void OnDone(const grpc::Status& status) override { end_.Set(status); }
  void Next() {
    if (next_ < requests_.size()) {
      StartWrite(&requests_[next_++]);
    } else {
      StartWritesDone();
    }
  }

  const EchoRequests& requests_;
  size_t next_ = 0;
  End end_;
};

class ReadReactor final : public grpc::ClientReadReactor<EchoResponse> {
 public:
  explicit ReadReactor(CallResult* result) : result_(result) {}
  void Start() {
    StartRead(&response_);
    StartCall();
  }
  grpc::Status Wait() { return end_.Wait(); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    result_->responses.push_back(response_);
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override { end_.Set(status); }

  CallResult* const result_;
  EchoResponse response_;
  End end_;
};

// Of both stubs. With `alternate`, reads a response after each request; otherwise reads once it has
// sent all.
template <typename Request, typename Response>
class BidiReactor final : public grpc::ClientBidiReactor<Request, Response> {
 public:
  BidiReactor(const EchoRequests& requests, bool alternate, CallResult* result)
      : requests_(requests), alternate_(alternate), result_(result) {}
  void Start() {
    Next();
    this->StartCall();
  }
  grpc::Status Wait() { return end_.Wait(); }

 private:
  void OnWriteDone(bool ok) override {
    if (!ok) return;
    if (alternate_) {
      this->StartRead(&response_);
    } else {
      Next();
    }
  }
  void OnWritesDoneDone(bool ok) override {
    if (ok) this->StartRead(&response_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    result_->responses.push_back(FromMessage(&response_));
    if (done_) {
      this->StartRead(&response_);
    } else {
      Next();
    }
  }
  void OnDone(const grpc::Status& status) override { end_.Set(status); }
  void Next() {
    if (next_ < requests_.size()) {
      request_ = ToMessage<Request>(requests_[next_++]);
      this->StartWrite(&request_);
    } else {
      done_ = true;
      this->StartWritesDone();
    }
  }

  const EchoRequests& requests_;
  const bool alternate_;
  CallResult* const result_;
  size_t next_ = 0;
  bool done_ = false;
  Request request_;
  Response response_;
  End end_;
};

}  // namespace

CallResult MakeCallbackCall(RpcType type, const std::shared_ptr<grpc::ChannelInterface>& channel,
                            grpc::ClientContext* context, const EchoRequests& requests) {
  const auto stub = Echo::NewStub(channel);
  CallResult result;
  EchoResponse response;
  switch (type) {
    case RpcType::kUnary: {
      UnaryReactor reactor;
      stub->async()->Unary(context, &requests.at(0), &response, &reactor);
      reactor.StartCall();
      result.status = reactor.Wait();
      if (result.status.ok()) result.responses.push_back(response);
      break;
    }
    case RpcType::kClientStream: {
      WriteReactor reactor(requests);
      stub->async()->ClientStream(context, &response, &reactor);
      reactor.Start();
      result.status = reactor.Wait();
      if (result.status.ok()) result.responses.push_back(response);
      break;
    }
    case RpcType::kServerStream: {
      ReadReactor reactor(&result);
      stub->async()->ServerStream(context, &requests.at(0), &reactor);
      reactor.Start();
      result.status = reactor.Wait();
      break;
    }
    case RpcType::kBidiStream: {
      BidiReactor<EchoRequest, EchoResponse> reactor(requests, /*alternate=*/true, &result);
      stub->async()->BidiStream(context, &reactor);
      reactor.Start();
      result.status = reactor.Wait();
      break;
    }
  }
  return result;
}

CallResult MakeGenericCallbackCall(RpcType type,
                                   const std::shared_ptr<grpc::ChannelInterface>& channel,
                                   grpc::ClientContext* context, const EchoRequests& requests) {
  grpc::GenericStub stub(channel);
  CallResult result;
  if (type == RpcType::kUnary) {
    const auto request = ToMessage<grpc::ByteBuffer>(requests.at(0));
    grpc::ByteBuffer response;
    UnaryReactor reactor;
    stub.PrepareUnaryCall(context, MethodName(type), {}, &request, &response, &reactor);
    reactor.StartCall();
    result.status = reactor.Wait();
    if (result.status.ok()) result.responses.push_back(FromMessage(&response));
    return result;
  }
  const EchoRequests sent =
      type == RpcType::kServerStream ? EchoRequests{requests.at(0)} : requests;
  BidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> reactor(
      sent, /*alternate=*/type == RpcType::kBidiStream, &result);
  stub.PrepareBidiStreamingCall(context, MethodName(type), {}, &reactor);
  reactor.Start();
  result.status = reactor.Wait();
  return result;
}

}  // namespace predial
