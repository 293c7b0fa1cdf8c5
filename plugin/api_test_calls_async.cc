// RPCs by completion queue: of the generated stub and of the generic one.
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

#include "plugin/api_test_calls.h"
#include "plugin/api_test_messages.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

// A queue for one RPC, with one operation under way at a time.
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

// Streams of the generated stub and of the generic one differ only in their messages.
template <typename Stream>
void SendAll(Stream& stream, OneByOne& operation, const EchoRequests& requests) {
  for (const EchoRequest& request : requests) {
    stream.Write(ToMessage<typename MessagesOf<Stream>::Request>(request), operation.tag());
    if (!operation.Done()) break;
  }
  stream.WritesDone(operation.tag());
  operation.Done();
}

template <typename Stream>
bool ReadOne(Stream& stream, OneByOne& operation, CallResult* result) {
  typename MessagesOf<Stream>::Response response;
  stream.Read(&response, operation.tag());
  if (!operation.Done()) return false;
  result->responses.push_back(FromMessage(&response));
  return true;
}

template <typename Stream>
void Converse(Stream& stream, OneByOne& operation, const EchoRequests& requests,
              CallResult* result) {
  for (const EchoRequest& request : requests) {
    stream.Write(ToMessage<typename MessagesOf<Stream>::Request>(request), operation.tag());
    if (!operation.Done() || !ReadOne(stream, operation, result)) break;
  }
  stream.WritesDone(operation.tag());
  operation.Done();
  while (ReadOne(stream, operation, result)) {
  }
}

template <typename Stream>
void Finish(Stream& stream, OneByOne& operation, CallResult* result) {
  stream.Finish(&result->status, operation.tag());
  operation.Done();
}

}  // namespace

CallResult MakeAsyncCall(RpcType type, const std::shared_ptr<grpc::ChannelInterface>& channel,
                         grpc::ClientContext* context, const EchoRequests& requests) {
  const auto stub = Echo::NewStub(channel);
  OneByOne operation;
  CallResult result;
  EchoResponse response;
  switch (type) {
    case RpcType::kUnary: {
      const auto reader = stub->AsyncUnary(context, requests.at(0), operation.queue());
      reader->Finish(&response, &result.status, operation.tag());
      operation.Done();
      if (result.status.ok()) result.responses.push_back(response);
      break;
    }
    case RpcType::kClientStream: {
      const auto writer =
          stub->AsyncClientStream(context, &response, operation.queue(), operation.tag());
      operation.Done();
      SendAll(*writer, operation, requests);
      Finish(*writer, operation, &result);
      if (result.status.ok()) result.responses.push_back(response);
      break;
    }
    case RpcType::kServerStream: {
      const auto reader =
          stub->AsyncServerStream(context, requests.at(0), operation.queue(), operation.tag());
      operation.Done();
      while (ReadOne(*reader, operation, &result)) {
      }
      Finish(*reader, operation, &result);
      break;
    }
    case RpcType::kBidiStream: {
      const auto stream = stub->AsyncBidiStream(context, operation.queue(), operation.tag());
      operation.Done();
      Converse(*stream, operation, requests, &result);
      Finish(*stream, operation, &result);
      break;
    }
  }
  return result;
}

CallResult MakeGenericAsyncCall(RpcType type,
                                const std::shared_ptr<grpc::ChannelInterface>& channel,
                                grpc::ClientContext* context, const EchoRequests& requests) {
  grpc::GenericStub stub(channel);
  OneByOne operation;
  CallResult result;
  if (type == RpcType::kUnary) {
    const auto reader = stub.PrepareUnaryCall(
        context, MethodName(type), ToMessage<grpc::ByteBuffer>(requests.at(0)), operation.queue());
    reader->StartCall();
    grpc::ByteBuffer response;
    reader->Finish(&response, &result.status, operation.tag());
    operation.Done();
    if (result.status.ok()) result.responses.push_back(FromMessage(&response));
    return result;
  }
  const auto stream = stub.PrepareCall(context, MethodName(type), operation.queue());
  stream->StartCall(operation.tag());
  operation.Done();
  if (type == RpcType::kBidiStream) {
    Converse(*stream, operation, requests, &result);
  } else {
    SendAll(*stream, operation,
            type == RpcType::kServerStream ? EchoRequests{requests.at(0)} : requests);
    while (ReadOne(*stream, operation, &result)) {
    }
  }
  Finish(*stream, operation, &result);
  return result;
}

}  // namespace predial
