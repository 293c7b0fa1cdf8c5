// The C++ server's grpc.testing.TestService (proto/test_service.proto), as gRPC's published interop
// cases want it: it also checks expect_compressed, compresses responses when asked to, and echoes
// the metadata x-grpc-test-echo-initial and x-grpc-test-echo-trailing-bin.
//
// Threads: as any synchronous service: each RPC has a thread of gRPC's until it ends.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>
#include <grpcpp/support/sync_stream.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "proto/test_service.grpc.pb.h"

namespace predial {

// Ways to be wrong on purpose, for the tests of the cases. Default: none.
struct TestServiceFaults {
  // Change each request before it is carried out. May be called by several threads at a time.
  std::function<void(grpc::testing::SimpleRequest&)> unary;
  std::function<void(grpc::testing::StreamingInputCallRequest&)> input;
  std::function<void(grpc::testing::StreamingOutputCallRequest&)> output;

  // How EmptyCall and UnimplementedCall end.
  grpc::Status empty_call = grpc::Status::OK;
  grpc::Status unimplemented_call = grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "");

  // Which metadata it forgets to echo.
  bool no_initial_metadata = false;
  bool no_trailing_metadata = false;

  // Changes the payload of each response.
  std::function<void(grpc::testing::Payload&)> payload;

  // A full-duplex or half-duplex call goes on as if this were one more request at its end.
  grpc::testing::StreamingOutputCallRequest at_end;
};

class TestService final : public grpc::testing::TestService::Service {
 public:
  TestService() = default;
  explicit TestService(TestServiceFaults faults) : faults_(std::move(faults)) {}

  // Messages that streams have been able to send so far, all together.
  int64_t responses_written() const { return responses_written_.load(); }

  grpc::Status EmptyCall(grpc::ServerContext* context, const grpc::testing::Empty* request,
                         grpc::testing::Empty* response) override;
  // INVALID_ARGUMENT if a message was not compressed as it expects, or asks for more than the
  // service does (this holds for all methods).
  grpc::Status UnaryCall(grpc::ServerContext* context, const grpc::testing::SimpleRequest* request,
                         grpc::testing::SimpleResponse* response) override;
  grpc::Status StreamingOutputCall(
      grpc::ServerContext* context, const grpc::testing::StreamingOutputCallRequest* request,
      grpc::ServerWriter<grpc::testing::StreamingOutputCallResponse>* writer) override;
  grpc::Status StreamingInputCall(
      grpc::ServerContext* context,
      grpc::ServerReader<grpc::testing::StreamingInputCallRequest>* reader,
      grpc::testing::StreamingInputCallResponse* response) override;
  grpc::Status FullDuplexCall(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<grpc::testing::StreamingOutputCallResponse,
                               grpc::testing::StreamingOutputCallRequest>* stream) override;
  grpc::Status HalfDuplexCall(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<grpc::testing::StreamingOutputCallResponse,
                               grpc::testing::StreamingOutputCallRequest>* stream) override;
  grpc::Status UnimplementedCall(grpc::ServerContext* context, const grpc::testing::Empty* request,
                                 grpc::testing::Empty* response) override;

 private:
  void EchoMetadata(grpc::ServerContext* context) const;
  void Fill(grpc::testing::Payload* payload, int size) const;
  // Sends what `request` asks for; OK, or how the RPC is to end.
  template <typename Writer>
  grpc::Status Respond(grpc::ServerContext* context,
                       const grpc::testing::StreamingOutputCallRequest& request, Writer& writer);

  const TestServiceFaults faults_;
  std::atomic<int64_t> responses_written_{0};
};

}  // namespace predial
