#include "plugin/unary_receiver.h"

#include <memory>
#include <typeinfo>

#include "plugin/private_field.h"

namespace predial {

struct DeserializerField {
  using Type =
      std::unique_ptr<grpc::internal::DeserializeFunc> grpc::internal::CallOpGenericRecvMessage::*;
  friend Type FieldOf(DeserializerField);
};
template struct PrivateField<DeserializerField,
                             &grpc::internal::CallOpGenericRecvMessage::deserialize_>;

namespace {

using google::protobuf::MessageLite;
using grpc::internal::CallOpClientRecvStatus;
using grpc::internal::CallOpClientSendClose;
using grpc::internal::CallOpGenericRecvMessage;
using grpc::internal::CallOpRecvInitialMetadata;
using grpc::internal::CallOpRecvMessage;
using grpc::internal::CallOpSendInitialMetadata;
using grpc::internal::CallOpSendMessage;
using grpc::internal::CallOpSet;
using grpc::internal::DeserializeFunc;
using grpc::internal::DeserializeFuncType;

// ClientAsyncResponseReader.
using AsyncWhole =
    CallOpSet<CallOpSendInitialMetadata, CallOpSendMessage, CallOpClientSendClose,
              CallOpRecvInitialMetadata, CallOpRecvMessage<MessageLite>, CallOpClientRecvStatus>;
// The same, after ReadInitialMetadata().
using AsyncEnd = CallOpSet<CallOpRecvMessage<MessageLite>, CallOpClientRecvStatus>;
// ClientCallbackUnary, whatever its messages.
using ReactorEnd = CallOpSet<CallOpGenericRecvMessage, CallOpClientRecvStatus>;

// False for a class that was compiled without RTTI, as user code may be: its table has none.
bool HasTypeInfo(const grpc::internal::CallOpSetInterface& batch) {
  // Itanium C++ ABI, section 2.5: the word before the functions points to the type_info.
  const void* const* const table = *reinterpret_cast<const void* const* const*>(&batch);
  return table[-1] != nullptr;
}

template <typename Batch>
bool* GotMessage(grpc::internal::CallOpSetInterface& batch) {
  return &static_cast<Batch&>(batch).got_message;
}

}  // namespace

WholeUnaryBatch* AsWholeUnaryBatch(grpc::internal::CallOpSetInterface& batch) {
  if (!HasTypeInfo(batch) || typeid(batch) != typeid(WholeUnaryBatch)) return nullptr;
  return static_cast<WholeUnaryBatch*>(&batch);
}

bool* GotMessageOf(grpc::internal::CallOpSetInterface& batch) {
  if (!HasTypeInfo(batch)) return nullptr;
  const std::type_info& type = typeid(batch);
  if (type == typeid(WholeUnaryBatch)) return GotMessage<WholeUnaryBatch>(batch);
  if (type == typeid(AsyncWhole)) return GotMessage<AsyncWhole>(batch);
  if (type == typeid(AsyncEnd)) return GotMessage<AsyncEnd>(batch);
  if (type != typeid(ReactorEnd)) return nullptr;
  const auto& deserializer = static_cast<ReactorEnd&>(batch).*FieldOf(DeserializerField());
  if (deserializer == nullptr) return nullptr;
  const DeserializeFunc& known = *deserializer;
  if (typeid(known) != typeid(DeserializeFuncType<MessageLite>)) return nullptr;
  return GotMessage<ReactorEnd>(batch);
}

}  // namespace predial
