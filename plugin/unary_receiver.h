// UnaryReceiver: what a unary RPC's last batch of operations writes its answer to, for who has that
// answer from elsewhere.
//
// gRPC calls a unary RPC in four ways (sync, async, callback function, callback reactor), with
// batches of five types. Only those that stubs of protoc make are recognised, whose messages are
// google::protobuf::MessageLite: an RPC of a GenericStub (ByteBuffer) or with messages of another
// kind is not. The types are those of gRPC 1.51; a version that has others is not recognised
// either.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/impl/call_op_set.h>
#include <grpcpp/impl/call_op_set_interface.h>

namespace predial {

// The only batch of an RPC of BlockingUnaryCall or CallbackUnaryCall.
using WholeUnaryBatch = grpc::internal::CallOpSet<
    grpc::internal::CallOpSendInitialMetadata, grpc::internal::CallOpSendMessage,
    grpc::internal::CallOpRecvInitialMetadata,
    grpc::internal::CallOpRecvMessage<google::protobuf::MessageLite>,
    grpc::internal::CallOpClientSendClose, grpc::internal::CallOpClientRecvStatus>;

// The batch as what it is; null if it is not of that type.
WholeUnaryBatch* AsWholeUnaryBatch(grpc::internal::CallOpSetInterface& batch);

// Where the batch notes that it has a message; null if it is not of such a type, or receives no
// message. Valid as long as the batch. To be asked before the batch is started.
bool* GotMessageOf(grpc::internal::CallOpSetInterface& batch);

}  // namespace predial
