// TestClient over completion queues: each RPC has one of its own, and one operation under way at a
// time.
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

#include <utility>

#include "interop_tests/cases/test_client.h"

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

class OneByOne {
 public:
  // Shut down and emptied, as the queue wants it.
  ~OneByOne() {
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
  }
  grpc::CompletionQueue* queue() { return &queue_; }
  void* tag() { return this; }
  // Waits for the operation; whether it succeeded.
  bool Done() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && tag == this && ok;
  }

 private:
  grpc::CompletionQueue queue_;
};

// What the streams share. `start` makes gRPC's stream, given a queue and a tag.
template <typename Stream>
class AsyncStream {
 public:
  template <typename Start>
  AsyncStream(grpc::ClientContext* context, const Start& start)
      : context_(context), stream_(start(operation_.queue(), operation_.tag())) {
    operation_.Done();  // if not, every further operation fails
  }
  ~AsyncStream() {
    if (finished_) return;
    context_->TryCancel();
    Finish();
  }

  template <typename Request>
  bool Write(const Request& request, const grpc::WriteOptions& options) {
    stream_->Write(request, options, operation_.tag());
    return operation_.Done();
  }
  bool WritesDone() {
    stream_->WritesDone(operation_.tag());
    return operation_.Done();
  }
  template <typename Response>
  bool Read(Response* response) {
    stream_->Read(response, operation_.tag());
    return operation_.Done();
  }
  grpc::Status Finish() {
    finished_ = true;
    grpc::Status status;
    stream_->Finish(&status, operation_.tag());
    operation_.Done();
    return status;
  }

 private:
  grpc::ClientContext* const context_;
  OneByOne operation_;
  const std::unique_ptr<Stream> stream_;
  bool finished_ = false;
};

class AsyncInput final : public InputStream {
 public:
  AsyncInput(TestService::Stub& stub, grpc::ClientContext* context,
             StreamingInputCallResponse* response)
      : stream_(context, [&](grpc::CompletionQueue* queue, void* tag) {
          return stub.AsyncStreamingInputCall(context, response, queue, tag);
        }) {}
  bool Write(const StreamingInputCallRequest& request, const grpc::WriteOptions& options) override {
    return stream_.Write(request, options);
  }
  bool WritesDone() override { return stream_.WritesDone(); }
  grpc::Status Finish() override { return stream_.Finish(); }

 private:
  AsyncStream<grpc::ClientAsyncWriter<StreamingInputCallRequest>> stream_;
};

class AsyncOutput final : public OutputStream {
 public:
  AsyncOutput(TestService::Stub& stub, grpc::ClientContext* context,
              const StreamingOutputCallRequest& request)
      : stream_(context, [&](grpc::CompletionQueue* queue, void* tag) {
          return stub.AsyncStreamingOutputCall(context, request, queue, tag);
        }) {}
  bool Read(StreamingOutputCallResponse* response) override { return stream_.Read(response); }
  grpc::Status Finish() override { return stream_.Finish(); }

 private:
  AsyncStream<grpc::ClientAsyncReader<StreamingOutputCallResponse>> stream_;
};

class AsyncDuplex final : public DuplexStream {
 public:
  template <typename Start>
  AsyncDuplex(grpc::ClientContext* context, const Start& start) : stream_(context, start) {}
  bool Write(const StreamingOutputCallRequest& request) override {
    return stream_.Write(request, grpc::WriteOptions());
  }
  bool WritesDone() override { return stream_.WritesDone(); }
  bool Read(StreamingOutputCallResponse* response) override { return stream_.Read(response); }
  grpc::Status Finish() override { return stream_.Finish(); }

 private:
  AsyncStream<
      grpc::ClientAsyncReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>>
      stream_;
};

// `start` makes gRPC's response reader, given a queue.
template <typename Response, typename Start>
grpc::Status Unary(Response* response, const Start& start) {
  OneByOne operation;
  const auto reader = start(operation.queue());
  grpc::Status status;
  reader->Finish(response, &status, operation.tag());
  operation.Done();
  return status;
}

class AsyncTestClient final : public TestClient {
 public:
  explicit AsyncTestClient(const std::shared_ptr<grpc::ChannelInterface>& channel)
      : stub_(TestService::NewStub(channel)),
        unimplemented_stub_(UnimplementedService::NewStub(channel)) {}

  grpc::Status EmptyCall(grpc::ClientContext* context, const Empty& request,
                         Empty* response) override {
    return Unary(response, [&](grpc::CompletionQueue* queue) {
      return stub_->AsyncEmptyCall(context, request, queue);
    });
  }
  grpc::Status UnaryCall(grpc::ClientContext* context, const SimpleRequest& request,
                         SimpleResponse* response) override {
    return Unary(response, [&](grpc::CompletionQueue* queue) {
      return stub_->AsyncUnaryCall(context, request, queue);
    });
  }
  grpc::Status UnimplementedCall(grpc::ClientContext* context, const Empty& request,
                                 Empty* response) override {
    return Unary(response, [&](grpc::CompletionQueue* queue) {
      return stub_->AsyncUnimplementedCall(context, request, queue);
    });
  }
  grpc::Status UnimplementedServiceCall(grpc::ClientContext* context, const Empty& request,
                                        Empty* response) override {
    return Unary(response, [&](grpc::CompletionQueue* queue) {
      return unimplemented_stub_->AsyncUnimplementedCall(context, request, queue);
    });
  }
  std::unique_ptr<InputStream> StreamingInputCall(grpc::ClientContext* context,
                                                  StreamingInputCallResponse* response) override {
    return std::make_unique<AsyncInput>(*stub_, context, response);
  }
  std::unique_ptr<OutputStream> StreamingOutputCall(
      grpc::ClientContext* context, const StreamingOutputCallRequest& request) override {
    return std::make_unique<AsyncOutput>(*stub_, context, request);
  }
  std::unique_ptr<DuplexStream> FullDuplexCall(grpc::ClientContext* context) override {
    return std::make_unique<AsyncDuplex>(context, [&](grpc::CompletionQueue* queue, void* tag) {
      return stub_->AsyncFullDuplexCall(context, queue, tag);
    });
  }
  std::unique_ptr<DuplexStream> HalfDuplexCall(grpc::ClientContext* context) override {
    return std::make_unique<AsyncDuplex>(context, [&](grpc::CompletionQueue* queue, void* tag) {
      return stub_->AsyncHalfDuplexCall(context, queue, tag);
    });
  }

 private:
  const std::unique_ptr<TestService::Stub> stub_;
  const std::unique_ptr<UnimplementedService::Stub> unimplemented_stub_;
};

}  // namespace

std::unique_ptr<TestClient> MakeAsyncTestClient(
    const std::shared_ptr<grpc::ChannelInterface>& channel) {
  return std::make_unique<AsyncTestClient>(channel);
}

}  // namespace predial
