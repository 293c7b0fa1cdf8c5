#include "plugin/sync_batch.h"

#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <memory>

#include "plugin/unary_receiver.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;
using echo::v1::EchoResponse;
using google::protobuf::MessageLite;

struct CountedEnds : SyncBatch::Listener {
  void OnBatchEnded() override {
    ++ends;
    request = batch.SerializeRequest();
  }

  SyncBatch batch;
  int ends = 0;
  grpc::ByteBuffer request;
};

// As BlockingUnaryCall fills in its batch.
class SyncBatchTest : public testing::Test {
 protected:
  SyncBatchTest() {
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

TEST_F(SyncBatchTest, KnowsWhereTheAnswerBelongs) {
  EXPECT_FALSE(SyncBatch());
  const SyncBatch sync(*batch_);
  EXPECT_TRUE(sync);
  EXPECT_EQ(&sync.status(), &status_);
  EXPECT_EQ(sync.message(), &response_);
  EXPECT_EQ(&sync.got_message(), &batch_->got_message);
}

TEST_F(SyncBatchTest, TellsOfTheEndOnceAndHasTheRequest) {
  CountedEnds counted;
  counted.batch = SyncBatch(*batch_);
  counted.batch.TellOfEnd(&counted);
  EXPECT_EQ(counted.ends, 0);
  batch_.reset();
  EXPECT_EQ(counted.ends, 1);
  EchoRequest again;
  ASSERT_TRUE(grpc::SerializationTraits<EchoRequest>::Deserialize(&counted.request, &again).ok());
  EXPECT_EQ(again.message(), "hello");
}

TEST_F(SyncBatchTest, IsOfOneTypeOnly) {
  EXPECT_EQ(AsWholeUnaryBatch(*batch_), batch_.get());
  grpc::internal::CallOpSet<grpc::internal::CallOpClientRecvStatus> other;
  EXPECT_EQ(AsWholeUnaryBatch(other), nullptr);
}

}  // namespace
}  // namespace predial
