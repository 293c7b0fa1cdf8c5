// BareBatch: the only batch of operations of a unary RPC that is started without interceptors, and
// how its end is told of.
//
// gRPC sends every batch of an RPC that has interceptors around once more, empty, to tell them of
// its end: that costs some 2,500 instructions, a twentieth of an RPC. Two kinds of unary RPC tell
// of their ends without:
//
// - A synchronous one (grpc::internal::BlockingUnaryCall) has its batch on the stack of the thread
//   that waits for it, which destroys it as soon as the answer is in its place, before the stub
//   returns. So what the batch owns is destroyed then, and that is what this sees.
// - One with a callback function (CallbackUnaryCall) calls that function, which gRPC keeps: another
//   takes its place, and calls it.
//
// Threads: the RPC's own: those that start and that end it.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <functional>

#include "plugin/unary_receiver.h"

namespace predial {

class BareBatch {
 public:
  // Who is told of the end.
  class Listener {
   public:
    // The answer is in its place, and may still be changed. Of a synchronous RPC, the caller waits
    // until this returns: it may block. Of one with a callback, the caller waits for RunCallback().
    // Must not throw.
    virtual void OnBatchEnded() = 0;

   protected:
    ~Listener() = default;
  };

  BareBatch() = default;
  BareBatch(const BareBatch&) = delete;
  BareBatch& operator=(const BareBatch&) = delete;

  // The batch is one of BlockingUnaryCall, and has not been started. TellOfEnd() is called once it
  // is; the listener outlives it.
  void SetSync(WholeUnaryBatch& batch);
  void TellOfEnd(Listener* listener);

  // The batch is one of CallbackUnaryCall, and has not been started; the listener outlives it.
  // `request`, if it is not null, is set to the bytes of the request, which the caller need not
  // keep; it stays invalid if they cannot be had.
  void SetCallback(WholeUnaryBatch& batch, Listener* listener, grpc::ByteBuffer* request);

  // Which of the two it was; neither until then.
  bool is_sync() const { return way_ == Way::kSync; }
  bool has_callback() const { return way_ == Way::kCallback; }

  // --- From the end on, of a synchronous RPC in OnBatchEnded() only. Its answer:
  grpc::Status& status() { return *status_; }
  google::protobuf::MessageLite* message() const { return message_; }
  bool& got_message() const { return batch_->got_message; }

  // The request of a synchronous RPC once more, as bytes: the caller still has it, as it waits. Not
  // valid if it cannot be serialized. In OnBatchEnded() only.
  grpc::ByteBuffer SerializeRequest();
  // Calls the function of the RPC with status(), once. This, and all of the RPC, may be gone when
  // it returns.
  void RunCallback();

 private:
  enum class Way : char { kNone, kSync, kCallback };

  Way way_ = Way::kNone;
  WholeUnaryBatch* batch_ = nullptr;
  grpc::Status* status_ = nullptr;
  google::protobuf::MessageLite* message_ = nullptr;
  // Of a synchronous RPC.
  const void* request_ = nullptr;  // of whatever type
  std::function<grpc::Status(const void*)> serializer_;
  // Of one with a callback.
  std::function<void(grpc::Status)> callback_;
  grpc::Status callback_status_;
};

}  // namespace predial
