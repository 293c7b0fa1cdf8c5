#include "interop_tests/edges/edge_calls.h"

#include <grpcpp/client_context.h>

#include <chrono>
#include <future>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;
using std::chrono::milliseconds;
using std::chrono::system_clock;

// Only what never comes takes this long.
constexpr milliseconds kPatience{30'000};
constexpr milliseconds kBriefly{300};
constexpr size_t kRequestBytes = 1024;
constexpr size_t kMetadataBytes = 4096;

void Prepare(grpc::ClientContext& context, milliseconds timeout) {
  context.set_deadline(system_clock::now() + timeout);
  context.set_wait_for_ready(true);
}

EchoRequest Request(const std::string& message) {
  EchoRequest request;
  request.set_message(message);
  return request;
}

EdgeResult CallUnary(Echo::Stub& stub, const std::string& message, size_t metadata_bytes,
                     milliseconds timeout) {
  grpc::ClientContext context;
  Prepare(context, timeout);
  context.AddMetadata(kEdgeKey, "1");
  if (metadata_bytes > 0) context.AddMetadata("filler", std::string(metadata_bytes, 'm'));
  EchoResponse response;
  grpc::Status status = stub.Unary(&context, Request(message), &response);
  if (!status.ok()) return {std::move(status), 0};
  if (response.message() != message) return {std::move(status), 1, "an answer to something else"};
  return {std::move(status), 1};
}

// Reads to the end, and lets the server go on each time.
template <typename Stream>
EdgeResult ReadAll(Stream& stream, ScriptedServer& server) {
  EdgeResult result;
  EchoResponse response;
  stream.WaitForInitialMetadata();
  server.OpenGate(kHeadersRead);
  while (stream.Read(&response)) {
    ++result.messages;
    if (result.messages == 1) server.OpenGate(kMessageRead);
    if (result.messages == 3) server.OpenGate(kThreeMessagesRead);
    if (response.message() != "edge") result.trouble = "an answer to something else";
  }
  result.status = stream.Finish();
  return result;
}

// Streams that are open on the connection that the channel uses, and answer each message.
class OpenStreams {
 public:
  OpenStreams(Echo::Stub& stub, int count) {
    for (int i = 0; i < count; ++i) {
      auto& context = contexts_.emplace_back(std::make_unique<grpc::ClientContext>());
      Prepare(*context, kPatience);
      streams_.push_back(stub.BidiStream(context.get()));
    }
    Exchange();
  }
  // All have said something and got its answer, and so the client has read whatever the server said
  // before.
  void Exchange() {
    EchoResponse response;
    for (const auto& stream : streams_) {
      if (!stream->Write(Request("stream")) || !stream->Read(&response) ||
          response.message() != "stream") {
        trouble_ = "a stream beside it gets no answer";
      }
    }
  }
  // What went wrong on them; empty: nothing.
  std::string End() {
    for (const auto& stream : streams_) {
      stream->WritesDone();
      const grpc::Status status = stream->Finish();
      if (!status.ok()) trouble_ = "a stream beside it ends with " + status.error_message();
    }
    streams_.clear();
    return trouble_;
  }

 private:
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoResponse>>> streams_;
  std::string trouble_;
};

std::future<EdgeResult> StartUnary(Echo::Stub& stub) {
  return std::async(std::launch::async, [&stub] { return CallUnary(stub, "edge", 0, kPatience); });
}

// gRPC looks at the RPCs that wait for a stream when another one ends on the connection, not when
// the limit rises: the streams' end, or these RPCs'.
EdgeResult Await(std::vector<std::future<EdgeResult>> waiting, Echo::Stub& stub) {
  EdgeResult result;
  for (auto& one : waiting) {
    const auto until = system_clock::now() + kPatience;
    while (one.wait_for(milliseconds(0)) != std::future_status::ready) {
      if (system_clock::now() > until || !CallOther(stub).ok()) break;
    }
    const EdgeResult got = one.get();
    if (!got.status.ok()) result.status = got.status;
    result.messages += got.messages;
    if (!got.trouble.empty()) result.trouble = got.trouble;
  }
  return result;
}

EdgeResult CallBesideStreams(const Edge& edge, Echo::Stub& stub, ScriptedServer& server) {
  OpenStreams streams(stub, kOpenStreams);
  server.DoOnAll(edge.midway);
  streams.Exchange();
  EdgeResult result;
  std::vector<std::future<EdgeResult>> waiting;
  if (edge.call == EdgeCall::kBesideStreams) {
    result = CallUnary(stub, "edge", 0, kBriefly);
  } else {
    const int count = edge.call == EdgeCall::kTwoUntilLimitRises ? 2 : 1;
    for (int i = 0; i < count; ++i) waiting.push_back(StartUnary(stub));
  }
  server.DoOnAll(edge.midway_end);
  streams.Exchange();
  const std::string trouble = streams.End();
  if (!waiting.empty()) result = Await(std::move(waiting), stub);
  if (!trouble.empty()) result.trouble = trouble;
  return result;
}

}  // namespace

EdgeResult CallEdge(const Edge& edge, Echo::Stub& stub, ScriptedServer& server) {
  grpc::ClientContext context;
  Prepare(context, kPatience);
  context.AddMetadata(kEdgeKey, "1");
  switch (edge.call) {
    case EdgeCall::kUnary:
      return CallUnary(stub, "edge", 0, kPatience);
    case EdgeCall::kUnaryKilobyte:
      return CallUnary(stub, std::string(kRequestBytes, 'k'), 0, kPatience);
    case EdgeCall::kUnaryMetadata:
      return CallUnary(stub, "edge", kMetadataBytes, kPatience);
    case EdgeCall::kUnaryBriefly:
      return CallUnary(stub, "edge", 0, kBriefly);
    case EdgeCall::kServerStream:
      return ReadAll(*stub.ServerStream(&context, Request("edge")), server);
    case EdgeCall::kBidiStream: {
      const auto stream = stub.BidiStream(&context);
      stream->Write(Request("edge"));  // if it fails, the status says why
      return ReadAll(*stream, server);
    }
    case EdgeCall::kBesideStreams:
    case EdgeCall::kAfterStreams:
    case EdgeCall::kTwoUntilLimitRises:
      return CallBesideStreams(edge, stub, server);
  }
  return {};
}

grpc::Status CallOther(Echo::Stub& stub) {
  grpc::ClientContext context;
  Prepare(context, kPatience);
  EchoResponse response;
  grpc::Status status = stub.Unary(&context, Request("other"), &response);
  if (status.ok() && response.message() != "other") {
    return grpc::Status(grpc::StatusCode::DATA_LOSS, "an answer to something else");
  }
  return status;
}

}  // namespace predial
