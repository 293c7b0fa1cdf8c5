// TestClient: a client of grpc.testing.TestService whose every operation returns when it is done,
// whichever of gRPC's three APIs it is made of. So a case is written once and runs through all.
//
// Threads:   one thread at a time for each RPC; several RPCs may go on beside each other.
// Ownership: contexts, requests and responses are the caller's, and have to outlive their RPC.
// Deadlines: are the contexts'. Every context has to have one, or an operation may block for ever.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/support/status.h>

#include <memory>

#include "proto/test_service.grpc.pb.h"

namespace predial {

enum class Api { kSync, kAsync, kCallback };
inline constexpr Api kApis[] = {Api::kSync, Api::kAsync, Api::kCallback};
// "sync", "async", "callback".
const char* NameOf(Api api);

// An RPC that streams. Where an operation returns false the RPC has ended, and Finish() says how. A
// stream that is destroyed before Finish() cancels its RPC.
class InputStream {
 public:
  virtual ~InputStream() = default;
  virtual bool Write(const grpc::testing::StreamingInputCallRequest& request,
                     const grpc::WriteOptions& options) = 0;
  virtual bool WritesDone() = 0;
  virtual grpc::Status Finish() = 0;
};

class OutputStream {
 public:
  virtual ~OutputStream() = default;
  virtual bool Read(grpc::testing::StreamingOutputCallResponse* response) = 0;
  // Only after a Read() that returned false, or when the RPC is cancelled.
  virtual grpc::Status Finish() = 0;
};

class DuplexStream {
 public:
  virtual ~DuplexStream() = default;
  virtual bool Write(const grpc::testing::StreamingOutputCallRequest& request) = 0;
  virtual bool WritesDone() = 0;
  virtual bool Read(grpc::testing::StreamingOutputCallResponse* response) = 0;
  // As OutputStream's.
  virtual grpc::Status Finish() = 0;
};

class TestClient {
 public:
  virtual ~TestClient() = default;

  virtual grpc::Status EmptyCall(grpc::ClientContext* context, const grpc::testing::Empty& request,
                                 grpc::testing::Empty* response) = 0;
  virtual grpc::Status UnaryCall(grpc::ClientContext* context,
                                 const grpc::testing::SimpleRequest& request,
                                 grpc::testing::SimpleResponse* response) = 0;
  // Of TestService.
  virtual grpc::Status UnimplementedCall(grpc::ClientContext* context,
                                         const grpc::testing::Empty& request,
                                         grpc::testing::Empty* response) = 0;
  // Of UnimplementedService.
  virtual grpc::Status UnimplementedServiceCall(grpc::ClientContext* context,
                                                const grpc::testing::Empty& request,
                                                grpc::testing::Empty* response) = 0;
  // The response is there once Finish() has returned OK.
  virtual std::unique_ptr<InputStream> StreamingInputCall(
      grpc::ClientContext* context, grpc::testing::StreamingInputCallResponse* response) = 0;
  virtual std::unique_ptr<OutputStream> StreamingOutputCall(
      grpc::ClientContext* context, const grpc::testing::StreamingOutputCallRequest& request) = 0;
  virtual std::unique_ptr<DuplexStream> FullDuplexCall(grpc::ClientContext* context) = 0;
  virtual std::unique_ptr<DuplexStream> HalfDuplexCall(grpc::ClientContext* context) = 0;
};

// Shares the channel.
std::unique_ptr<TestClient> MakeTestClient(Api api,
                                           const std::shared_ptr<grpc::ChannelInterface>& channel);

// --- The same by API; for MakeTestClient.
std::unique_ptr<TestClient> MakeSyncTestClient(
    const std::shared_ptr<grpc::ChannelInterface>& channel);
std::unique_ptr<TestClient> MakeAsyncTestClient(
    const std::shared_ptr<grpc::ChannelInterface>& channel);
std::unique_ptr<TestClient> MakeCallbackTestClient(
    const std::shared_ptr<grpc::ChannelInterface>& channel);

}  // namespace predial
