// SyncBatch: the batch of operations of a synchronous unary RPC, and its end without an
// interceptor.
//
// gRPC sends every batch of an RPC that has interceptors around once more, empty, to tell them of
// its end: that costs some 2,500 instructions, a twentieth of an RPC. But a synchronous unary RPC
// (grpc::internal::BlockingUnaryCall) has its only batch on the stack of the thread that waits for
// it, which destroys it as soon as the answer is in its place, before the stub returns. So what the
// batch owns is destroyed then, and that is what this sees.
//
// Threads: the RPC's own only.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <functional>

#include "plugin/unary_receiver.h"

namespace predial {

class SyncBatch {
 public:
  // Who is told of the end.
  class Listener {
   public:
    // The answer is in its place, and may still be changed. May block. Must not throw.
    virtual void OnBatchEnded() = 0;

   protected:
    ~Listener() = default;
  };

  SyncBatch() = default;
  // `batch` is one of grpc::internal::BlockingUnaryCall, which has not been started.
  explicit SyncBatch(WholeUnaryBatch& batch);

  explicit operator bool() const { return batch_ != nullptr; }

  // Once, after the batch was started. `listener` outlives the batch.
  void TellOfEnd(Listener* listener);

  // --- As long as the batch. Its answer:
  grpc::Status& status() const { return *status_; }
  google::protobuf::MessageLite* message() const { return message_; }
  bool& got_message() const { return batch_->got_message; }
  // The request once more, as bytes: the caller still has it, as it waits. Not valid if it cannot
  // be serialized. In OnBatchEnded() only.
  grpc::ByteBuffer SerializeRequest();

 private:
  WholeUnaryBatch* batch_ = nullptr;
  grpc::Status* status_ = nullptr;
  google::protobuf::MessageLite* message_ = nullptr;
  const void* request_ = nullptr;  // of whatever type
  std::function<grpc::Status(const void*)> serializer_;
};

}  // namespace predial
