#include "plugin/io/lookup.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugin/io/io_test_util.h"

namespace predial {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(LookupBySystemTest, Localhost) {
  auto addresses = LookupBySystem("localhost", "50051");
  ASSERT_TRUE(addresses.ok()) << addresses.status();
  EXPECT_THAT(*addresses, Contains(*Address::Parse("127.0.0.1:50051")));
}

TEST(LookupBySystemTest, Literals) {
  EXPECT_THAT(*LookupBySystem("127.0.0.1", "1"), ElementsAre(*Address::Parse("127.0.0.1:1")));
  EXPECT_THAT(*LookupBySystem("::1", "1"), ElementsAre(*Address::Parse("[::1]:1")));
}

TEST(LookupBySystemTest, ANameThatCannotExist) {
  // RFC 2606. Without a name server the answer is another one, and takes no longer.
  const absl::Status status = LookupBySystem("name.invalid", "50051").status();
  EXPECT_TRUE(absl::IsNotFound(status) || absl::IsUnavailable(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("looking up name.invalid: "));
}

TEST(LookupBySystemTest, AnUnknownService) {
  const absl::Status status = LookupBySystem("127.0.0.1", "no-such-service").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(status.message(), HasSubstr("port \"no-such-service\""));
}

// Counts the jobs that are inside, and keeps them there until it is opened.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  int inside = 0;
  int inside_max = 0;
  int left = 0;

  void Pass() {
    std::unique_lock<std::mutex> lock(mutex);
    inside_max = std::max(inside_max, ++inside);
    changed.notify_all();
    ASSERT_TRUE(changed.wait_for(lock, kTestPatience, [this] { return open; }));
    --inside;
    ++left;
    changed.notify_all();
  }
};

TEST(RunOnLookupThreadTest, AFewThreadsDoAllJobs) {
  constexpr int kJobs = 20;
  const auto gate = std::make_shared<Gate>();
  for (int i = 0; i < kJobs; ++i) {
    RunOnLookupThread([gate](absl::Status status) {
      EXPECT_EQ(status, absl::OkStatus());
      gate->Pass();
    });
  }
  std::unique_lock<std::mutex> lock(gate->mutex);
  ASSERT_TRUE(gate->changed.wait_for(lock, kTestPatience,
                                     [&] { return gate->inside == kLookupThreadsMax; }));
  gate->open = true;
  gate->changed.notify_all();
  ASSERT_TRUE(gate->changed.wait_for(lock, kTestPatience, [&] { return gate->left == kJobs; }));
  EXPECT_EQ(gate->inside_max, kLookupThreadsMax);
}

}  // namespace
}  // namespace predial
