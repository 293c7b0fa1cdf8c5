#include "plugin/sync_call.h"

#include <grpc/grpc.h>
#include <gtest/gtest.h>

namespace predial {
namespace {

TEST(SyncCallTest, OnlyAQueueThatIsPluckedFromIsThatOfASyncCall) {
  grpc::CompletionQueue of_a_user;
  EXPECT_FALSE(IsSyncCall(&of_a_user));
  grpc::CompletionQueue of_a_sync_call(grpc_completion_queue_create_for_pluck(nullptr));
  EXPECT_TRUE(IsSyncCall(&of_a_sync_call));
}

}  // namespace
}  // namespace predial
