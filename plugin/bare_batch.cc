#include "plugin/bare_batch.h"

#include <grpcpp/impl/call_op_set.h>
#include <grpcpp/support/callback_common.h>

#include <utility>

#include "plugin/private_field.h"

namespace predial {

using google::protobuf::MessageLite;
using grpc::internal::CallbackWithStatusTag;
using grpc::internal::CallOpClientRecvStatus;
using grpc::internal::CallOpRecvMessage;
using grpc::internal::CallOpSendMessage;

struct RequestField {
  using Type = const void* CallOpSendMessage::*;
  friend Type FieldOf(RequestField);
};
template struct PrivateField<RequestField, &CallOpSendMessage::msg_>;

// Serializes the request into the buffer. gRPC clears both when they have done their work.
struct SerializerField {
  using Type = std::function<grpc::Status(const void*)> CallOpSendMessage::*;
  friend Type FieldOf(SerializerField);
};
template struct PrivateField<SerializerField, &CallOpSendMessage::serializer_>;

struct BufferField {
  using Type = grpc::ByteBuffer CallOpSendMessage::*;
  friend Type FieldOf(BufferField);
};
template struct PrivateField<BufferField, &CallOpSendMessage::send_buf_>;

struct MessageField {
  using Type = MessageLite* CallOpRecvMessage<MessageLite>::*;
  friend Type FieldOf(MessageField);
};
template struct PrivateField<MessageField, &CallOpRecvMessage<MessageLite>::message_>;

struct StatusField {
  using Type = grpc::Status* CallOpClientRecvStatus::*;
  friend Type FieldOf(StatusField);
};
template struct PrivateField<StatusField, &CallOpClientRecvStatus::recv_status_>;

// What is called with the status that the tag has.
struct FunctionField {
  using Type = std::function<void(grpc::Status)> CallbackWithStatusTag::*;
  friend Type FieldOf(FunctionField);
};
template struct PrivateField<FunctionField, &CallbackWithStatusTag::func_>;

namespace {

// A serializer that does nothing but tell of its destruction.
class EndTeller {
 public:
  explicit EndTeller(BareBatch::Listener* listener) : listener_(listener) {}
  EndTeller(EndTeller&& other) noexcept : listener_(std::exchange(other.listener_, nullptr)) {}
  // std::function wants one. A copy tells of nothing.
  EndTeller(const EndTeller& /*other*/) : listener_(nullptr) {}
  EndTeller& operator=(const EndTeller&) = delete;
  ~EndTeller() {
    if (listener_ != nullptr) listener_->OnBatchEnded();
  }

  grpc::Status operator()(const void* /*request*/) const {
    return grpc::Status(grpc::StatusCode::INTERNAL, "the request was sent");
  }

 private:
  BareBatch::Listener* listener_;
};

}  // namespace

void BareBatch::SetSync(WholeUnaryBatch& batch) {
  way_ = Way::kSync;
  batch_ = &batch;
  status_ = batch.*FieldOf(StatusField());
  message_ = batch.*FieldOf(MessageField());
  request_ = batch.*FieldOf(RequestField());
  serializer_ = batch.*FieldOf(SerializerField());
}

void BareBatch::TellOfEnd(Listener* listener) {
  batch_->*FieldOf(SerializerField()) = EndTeller(listener);
}

void BareBatch::SetCallback(WholeUnaryBatch& batch, Listener* listener, grpc::ByteBuffer* request) {
  way_ = Way::kCallback;
  batch_ = &batch;
  status_ = &callback_status_;
  message_ = batch.*FieldOf(MessageField());
  auto* const tag = static_cast<CallbackWithStatusTag*>(batch.core_cq_tag());
  callback_ = std::exchange(tag->*FieldOf(FunctionField()), [this, listener](grpc::Status status) {
    callback_status_ = std::move(status);
    listener->OnBatchEnded();
  });
  if (request == nullptr) return;
  // As the batch would do when it starts; it sends what is in its buffer if it has no message.
  const void*& message = batch.*FieldOf(RequestField());
  if (!(batch.*FieldOf(SerializerField()))(message).ok()) return;
  message = nullptr;
  *request = batch.*FieldOf(BufferField());
}

grpc::ByteBuffer BareBatch::SerializeRequest() {
  // It writes to the batch's buffer, which goes after the serializer in the batch.
  if (serializer_ == nullptr || !serializer_(request_).ok()) return grpc::ByteBuffer();
  return std::move(batch_->*FieldOf(BufferField()));
}

void BareBatch::RunCallback() {
  // What is called may destroy this.
  const auto callback = std::move(callback_);
  grpc::internal::CatchingCallback(callback, std::move(callback_status_));
}

}  // namespace predial
