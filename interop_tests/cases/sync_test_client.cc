// TestClient over the synchronous stub.
#include <grpcpp/support/sync_stream.h>

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

// A stream of gRPC's, and whether it has been finished.
template <typename Stream>
class Finisher {
 public:
  Finisher(grpc::ClientContext* context, std::unique_ptr<Stream> stream)
      : context_(context), stream_(std::move(stream)) {}
  ~Finisher() {
    if (finished_) return;
    context_->TryCancel();
    Finish();
  }
  Stream* operator->() { return stream_.get(); }
  grpc::Status Finish() {
    finished_ = true;
    return stream_->Finish();
  }

 private:
  grpc::ClientContext* const context_;
  const std::unique_ptr<Stream> stream_;
  bool finished_ = false;
};

class SyncInput final : public InputStream {
 public:
  using Stream = grpc::ClientWriter<StreamingInputCallRequest>;
  SyncInput(grpc::ClientContext* context, std::unique_ptr<Stream> stream)
      : stream_(context, std::move(stream)) {}
  bool Write(const StreamingInputCallRequest& request, const grpc::WriteOptions& options) override {
    return stream_->Write(request, options);
  }
  bool WritesDone() override { return stream_->WritesDone(); }
  grpc::Status Finish() override { return stream_.Finish(); }

 private:
  Finisher<Stream> stream_;
};

class SyncOutput final : public OutputStream {
 public:
  using Stream = grpc::ClientReader<StreamingOutputCallResponse>;
  SyncOutput(grpc::ClientContext* context, std::unique_ptr<Stream> stream)
      : stream_(context, std::move(stream)) {}
  bool Read(StreamingOutputCallResponse* response) override { return stream_->Read(response); }
  grpc::Status Finish() override { return stream_.Finish(); }

 private:
  Finisher<Stream> stream_;
};

class SyncDuplex final : public DuplexStream {
 public:
  using Stream = grpc::ClientReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>;
  SyncDuplex(grpc::ClientContext* context, std::unique_ptr<Stream> stream)
      : stream_(context, std::move(stream)) {}
  bool Write(const StreamingOutputCallRequest& request) override { return stream_->Write(request); }
  bool WritesDone() override { return stream_->WritesDone(); }
  bool Read(StreamingOutputCallResponse* response) override { return stream_->Read(response); }
  grpc::Status Finish() override { return stream_.Finish(); }

 private:
  Finisher<Stream> stream_;
};

class SyncTestClient final : public TestClient {
 public:
  explicit SyncTestClient(const std::shared_ptr<grpc::ChannelInterface>& channel)
      : stub_(TestService::NewStub(channel)),
        unimplemented_stub_(UnimplementedService::NewStub(channel)) {}

  grpc::Status EmptyCall(grpc::ClientContext* context, const Empty& request,
                         Empty* response) override {
    return stub_->EmptyCall(context, request, response);
  }
  grpc::Status UnaryCall(grpc::ClientContext* context, const SimpleRequest& request,
                         SimpleResponse* response) override {
    return stub_->UnaryCall(context, request, response);
  }
  grpc::Status UnimplementedCall(grpc::ClientContext* context, const Empty& request,
                                 Empty* response) override {
    return stub_->UnimplementedCall(context, request, response);
  }
  grpc::Status UnimplementedServiceCall(grpc::ClientContext* context, const Empty& request,
                                        Empty* response) override {
    return unimplemented_stub_->UnimplementedCall(context, request, response);
  }
  std::unique_ptr<InputStream> StreamingInputCall(grpc::ClientContext* context,
                                                  StreamingInputCallResponse* response) override {
    return std::make_unique<SyncInput>(context, stub_->StreamingInputCall(context, response));
  }
  std::unique_ptr<OutputStream> StreamingOutputCall(
      grpc::ClientContext* context, const StreamingOutputCallRequest& request) override {
    return std::make_unique<SyncOutput>(context, stub_->StreamingOutputCall(context, request));
  }
  std::unique_ptr<DuplexStream> FullDuplexCall(grpc::ClientContext* context) override {
    return std::make_unique<SyncDuplex>(context, stub_->FullDuplexCall(context));
  }
  std::unique_ptr<DuplexStream> HalfDuplexCall(grpc::ClientContext* context) override {
    return std::make_unique<SyncDuplex>(context, stub_->HalfDuplexCall(context));
  }

 private:
  const std::unique_ptr<TestService::Stub> stub_;
  const std::unique_ptr<UnimplementedService::Stub> unimplemented_stub_;
};

}  // namespace

std::unique_ptr<TestClient> MakeSyncTestClient(
    const std::shared_ptr<grpc::ChannelInterface>& channel) {
  return std::make_unique<SyncTestClient>(channel);
}

}  // namespace predial
