// The messages of EchoService as the generated stub has them (themselves) and as the generic stub
// has them (byte buffers).
#pragma once

#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include "proto/echo.grpc.pb.h"

namespace predial {

// The requests and responses of an asynchronous stream.
template <typename Stream>
struct MessagesOf;
template <typename W>
struct MessagesOf<grpc::ClientAsyncWriter<W>> {
  using Request = W;
};
template <typename R>
struct MessagesOf<grpc::ClientAsyncReader<R>> {
  using Response = R;
};
template <typename W, typename R>
struct MessagesOf<grpc::ClientAsyncReaderWriter<W, R>> {
  using Request = W;
  using Response = R;
};

template <typename Message>
Message ToMessage(const echo::v1::EchoRequest& request);
template <>
inline echo::v1::EchoRequest ToMessage(const echo::v1::EchoRequest& request) {
  return request;
}
template <>
inline grpc::ByteBuffer ToMessage(const echo::v1::EchoRequest& request) {
  grpc::ByteBuffer buffer;
  bool own = false;
  EXPECT_TRUE(
      grpc::SerializationTraits<echo::v1::EchoRequest>::Serialize(request, &buffer, &own).ok());
  return buffer;
}

inline echo::v1::EchoResponse FromMessage(echo::v1::EchoResponse* response) { return *response; }
inline echo::v1::EchoResponse FromMessage(grpc::ByteBuffer* buffer) {
  echo::v1::EchoResponse response;
  EXPECT_TRUE(
      grpc::SerializationTraits<echo::v1::EchoResponse>::Deserialize(buffer, &response).ok());
  return response;
}

}  // namespace predial
