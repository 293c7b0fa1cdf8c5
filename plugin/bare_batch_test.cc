#include "plugin/bare_batch.h"

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "plugin/unary_receiver.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;
using echo::v1::EchoResponse;
using google::protobuf::MessageLite;

struct CountedEnds : BareBatch::Listener {
  void OnBatchEnded() override {
    ++ends;
    if (batch.is_sync()) request = batch.SerializeRequest();
  }

  BareBatch batch;
  int ends = 0;
  grpc::ByteBuffer request;
};

EchoRequest Parsed(grpc::ByteBuffer bytes) {
  EchoRequest request;
  EXPECT_TRUE(grpc::SerializationTraits<EchoRequest>::Deserialize(&bytes, &request).ok());
  return request;
}

// As BlockingUnaryCall fills in its batch.
class BareBatchTest : public testing::Test {
 protected:
  BareBatchTest() {
    request_.set_message("hello");
    EXPECT_TRUE(batch_->SendMessagePtr(static_cast<const MessageLite*>(&request_)).ok());
    batch_->RecvMessage(&response_);
    batch_->ClientRecvStatus(&context_, &status_);
  }

  grpc::ClientContext context_;
  EchoRequest request_;
  EchoResponse response_;
  grpc::Status status_;
  std::unique_ptr<WholeUnaryBatch> batch_ = std::make_unique<WholeUnaryBatch>();
};

TEST_F(BareBatchTest, KnowsWhereTheAnswerBelongs) {
  BareBatch sync;
  EXPECT_FALSE(sync.is_sync());
  EXPECT_FALSE(sync.has_callback());
  sync.SetSync(*batch_);
  EXPECT_TRUE(sync.is_sync());
  EXPECT_FALSE(sync.has_callback());
  EXPECT_EQ(&sync.status(), &status_);
  EXPECT_EQ(sync.message(), &response_);
  EXPECT_EQ(&sync.got_message(), &batch_->got_message);
}

TEST_F(BareBatchTest, TellsOfTheEndOnceAndHasTheRequest) {
  CountedEnds counted;
  counted.batch.SetSync(*batch_);
  counted.batch.TellOfEnd(&counted);
  EXPECT_EQ(counted.ends, 0);
  batch_.reset();
  EXPECT_EQ(counted.ends, 1);
  EXPECT_EQ(Parsed(std::move(counted.request)).message(), "hello");
}

TEST_F(BareBatchTest, IsOfOneTypeOnly) {
  EXPECT_EQ(AsWholeUnaryBatch(*batch_), batch_.get());
  grpc::internal::CallOpSet<grpc::internal::CallOpClientRecvStatus> other;
  EXPECT_EQ(AsWholeUnaryBatch(other), nullptr);
}

}  // namespace
}  // namespace predial
