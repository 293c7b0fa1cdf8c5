#include "plugin/sync_batch.h"

#include <grpcpp/impl/call_op_set.h>

#include <utility>

#include "plugin/private_field.h"

namespace predial {

using google::protobuf::MessageLite;
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

namespace {

// A serializer that does nothing but tell of its destruction.
class EndTeller {
 public:
  explicit EndTeller(SyncBatch::Listener* listener) : listener_(listener) {}
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
  SyncBatch::Listener* listener_;
};

}  // namespace

SyncBatch::SyncBatch(WholeUnaryBatch& batch)
    : batch_(&batch),
      status_(batch.*FieldOf(StatusField())),
      message_(batch.*FieldOf(MessageField())),
      request_(batch.*FieldOf(RequestField())),
      serializer_(batch.*FieldOf(SerializerField())) {}

void SyncBatch::TellOfEnd(Listener* listener) {
  batch_->*FieldOf(SerializerField()) = EndTeller(listener);
}

grpc::ByteBuffer SyncBatch::SerializeRequest() {
  // It writes to the batch's buffer, which goes after the serializer in the batch.
  if (serializer_ == nullptr || !serializer_(request_).ok()) return grpc::ByteBuffer();
  return std::move(batch_->*FieldOf(BufferField()));
}

}  // namespace predial
