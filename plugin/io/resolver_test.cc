#include "plugin/io/resolver.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugin/io/epoll_loop.h"
#include "plugin/io/io_test_util.h"
#include "plugin/testing/manual_loop.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Result = absl::StatusOr<std::vector<ResolvedEndpoint>>;
using Addresses = absl::StatusOr<std::vector<Address>>;

constexpr Duration kInterval = seconds(30);

std::vector<Address> Parse(const std::vector<std::string>& texts) {
  std::vector<Address> addresses;
  for (const std::string& text : texts) addresses.push_back(*Address::Parse(text));
  return addresses;
}

std::vector<std::string> Keys(const Result& result) {
  std::vector<std::string> keys;
  if (!result.ok()) return {result.status().ToString()};
  for (const ResolvedEndpoint& endpoint : *result) keys.push_back(endpoint.Key());
  return keys;
}

// A loop whose test can wait for what another thread posts.
class WaitingLoop : public ManualLoop {
 public:
  void Post(Callback callback) override {
    ManualLoop::Post(std::move(callback));
    std::lock_guard<std::mutex> lock(mutex_);
    ++posted_;
    changed_.notify_all();
  }
  // Waits until something was posted since the last wait.
  void AwaitPosted() {
    std::unique_lock<std::mutex> lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, kTestPatience, [this] { return posted_ > 0; }));
    posted_ = 0;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int posted_ = 0;
};

// A resolver of a name, with answers that the test gives.
class ResolverTest : public ::testing::Test {
 protected:
  // Waits for the report of the one lookup that is under way.
  void FinishLookup() {
    loop_.AwaitPosted();
    loop_.RunPosted();
    ASSERT_EQ(results_.size(), ++finished_);
  }
  void SetAnswer(Addresses answer) {
    std::lock_guard<std::mutex> lock(mutex_);
    answer_ = std::move(answer);
  }
  Addresses Lookup(const std::string& host, const std::string& port) {
    std::lock_guard<std::mutex> lock(mutex_);
    ++lookups_;
    EXPECT_EQ(host, "orders");
    EXPECT_EQ(port, "50051");
    return answer_;
  }
  int lookups() {
    std::lock_guard<std::mutex> lock(mutex_);
    return lookups_;
  }

  WaitingLoop loop_;
  std::mutex mutex_;
  Addresses answer_ = Parse({"127.0.0.1:50051"});
  int lookups_ = 0;
  std::vector<Result> results_;
  size_t finished_ = 0;
  std::unique_ptr<Resolver> resolver_ =
      CreateResolver(loop_, *ParseTarget("dns:///orders:50051"), kInterval,
                     [this](const auto& host, const auto& port) { return Lookup(host, port); });
  Resolver::Callback report_ = [this](Result result) { results_.push_back(std::move(result)); };
};

TEST_F(ResolverTest, ReportsAtOnceAndThenPeriodically) {
  resolver_->Start(std::move(report_));
  EXPECT_TRUE(results_.empty());
  FinishLookup();
  EXPECT_THAT(Keys(results_[0]), ElementsAre("127.0.0.1:50051"));

  SetAnswer(Parse({"127.0.0.2:50051"}));
  loop_.RunFor(kInterval - milliseconds(1));
  EXPECT_EQ(lookups(), 1);
  loop_.RunFor(milliseconds(1));
  FinishLookup();
  EXPECT_THAT(Keys(results_[1]), ElementsAre("127.0.0.2:50051"));
  EXPECT_EQ(lookups(), 2);
}

TEST_F(ResolverTest, AFailureIsReportedAndTriedAgain) {
  SetAnswer(absl::UnavailableError("looking up orders: no server"));
  resolver_->Start(std::move(report_));
  FinishLookup();
  EXPECT_EQ(results_[0].status(), absl::UnavailableError("looking up orders: no server"));
  loop_.RunFor(kInterval);
  FinishLookup();
  EXPECT_FALSE(results_[1].ok());
  SetAnswer(Parse({"127.0.0.1:50051"}));
  resolver_->ResolveNow();
  loop_.RunFor(kResolveSpacing);
  FinishLookup();
  EXPECT_TRUE(results_[2].ok());
}

TEST_F(ResolverTest, NoAddressIsNotFound) {
  SetAnswer(std::vector<Address>());
  resolver_->Start(std::move(report_));
  FinishLookup();
  EXPECT_EQ(results_[0].status(), absl::NotFoundError("looking up orders: it has no address"));
}

TEST_F(ResolverTest, ResolveNowKeepsItsDistance) {
  resolver_->ResolveNow();  // not started: nothing to hasten
  EXPECT_FALSE(loop_.has_timers());
  resolver_->Start(std::move(report_));
  for (int i = 0; i < 3; ++i) resolver_->ResolveNow();  // one is under way
  FinishLookup();
  EXPECT_EQ(lookups(), 1);

  for (int i = 0; i < 3; ++i) resolver_->ResolveNow();
  loop_.RunFor(kResolveSpacing - milliseconds(1));
  for (int i = 0; i < 3; ++i) resolver_->ResolveNow();
  EXPECT_EQ(lookups(), 1);
  loop_.RunFor(milliseconds(1));
  FinishLookup();
  EXPECT_EQ(lookups(), 2);

  // Later than that it starts at once, and the interval begins anew.
  loop_.RunFor(kInterval / 2);
  resolver_->ResolveNow();
  loop_.RunFor(Duration(0));
  FinishLookup();
  loop_.RunFor(kInterval - milliseconds(1));
  EXPECT_EQ(lookups(), 3);
  loop_.RunFor(milliseconds(1));
  FinishLookup();
  EXPECT_EQ(lookups(), 4);
}

TEST_F(ResolverTest, ADualStackHostIsOneEndpoint) {
  SetAnswer(Parse({"[::1]:50051", "127.0.0.1:50051", "[::1]:50051"}));
  resolver_->Start(std::move(report_));
  FinishLookup();
  ASSERT_TRUE(results_[0].ok());
  ASSERT_EQ(results_[0]->size(), 1u);
  EXPECT_EQ(results_[0]->front().addresses, Parse({"[::1]:50051", "127.0.0.1:50051"}));

  // The key does not follow the order.
  SetAnswer(Parse({"127.0.0.1:50051", "[::1]:50051"}));
  loop_.RunFor(kInterval);
  FinishLookup();
  ASSERT_TRUE(results_[1].ok());
  EXPECT_EQ(results_[1]->front().addresses, Parse({"127.0.0.1:50051", "[::1]:50051"}));
  EXPECT_EQ(Keys(results_[0]), Keys(results_[1]));
  EXPECT_THAT(Keys(results_[0]), ElementsAre("127.0.0.1:50051|[::1]:50051"));
}

TEST_F(ResolverTest, MoreAddressesAreAnEndpointEach) {
  SetAnswer(Parse({"127.0.0.3:1", "[::1]:1", "127.0.0.1:1", "127.0.0.3:1"}));
  resolver_->Start(std::move(report_));
  FinishLookup();
  EXPECT_THAT(Keys(results_[0]), ElementsAre("127.0.0.3:1", "[::1]:1", "127.0.0.1:1"));

  SetAnswer(Parse({"127.0.0.3:1", "127.0.0.1:1"}));
  loop_.RunFor(kInterval);
  FinishLookup();
  EXPECT_THAT(Keys(results_[1]), ElementsAre("127.0.0.3:1", "127.0.0.1:1"));
}

TEST_F(ResolverTest, MayBeDestroyedFromWithinItsCallback) {
  resolver_->Start([this](Result result) {
    resolver_.reset();
    results_.push_back(std::move(result));  // what it holds is still there
  });
  FinishLookup();
  EXPECT_FALSE(loop_.has_timers());
}

TEST_F(ResolverTest, DestroyedBetweenLookups) {
  resolver_->Start(std::move(report_));
  FinishLookup();
  EXPECT_TRUE(loop_.has_timers());
  resolver_.reset();
  EXPECT_FALSE(loop_.has_timers());
}

TEST(ResolverCancelTest, DestroyedDuringALookup) {
  struct Shared {
    Box<bool> entered, go_on;
  };
  Box<bool> gone;
  // Kept by the lookup: goes when its thread is done with it.
  std::shared_ptr<Shared> shared(new Shared, [&](Shared* s) {
    delete s;
    gone.Put(true);
  });
  Shared* const boxes = shared.get();
  {
    WaitingLoop loop;
    auto resolver = CreateResolver(loop, *ParseTarget("dns:///orders:50051"), kInterval,
                                   [shared](const auto&, const auto&) -> Addresses {
                                     shared->entered.Put(true);
                                     shared->go_on.Take();
                                     return Parse({"127.0.0.1:50051"});
                                   });
    resolver->Start([](Result) { ADD_FAILURE() << "called after all"; });
    boxes->entered.Take();
    resolver.reset();
    EXPECT_FALSE(loop.has_timers());
    loop.RunPosted();
  }
  boxes->go_on.Put(true);  // the loop is gone
  shared.reset();
  gone.Take();
}

TEST(ResolverCancelTest, DestroyedAfterTheLookupAndBeforeItsReport) {
  WaitingLoop loop;
  auto resolver =
      CreateResolver(loop, *ParseTarget("dns:///orders:50051"), kInterval,
                     [](const auto&, const auto&) { return Parse({"127.0.0.1:50051"}); });
  resolver->Start([](Result) { ADD_FAILURE() << "called after all"; });
  loop.AwaitPosted();
  resolver.reset();
  loop.RunPosted();
  EXPECT_FALSE(loop.has_timers());
}

TEST(LiteralResolverTest, ReportsItsListOnce) {
  ManualLoop loop;
  std::vector<Result> results;
  auto resolver =
      CreateResolver(loop, *ParseTarget("ipv4:127.0.0.1:1,127.0.0.2:2,127.0.0.1:1"), kInterval);
  resolver->Start([&](Result result) { results.push_back(std::move(result)); });
  EXPECT_TRUE(results.empty());
  loop.RunFor(Duration(0));
  ASSERT_EQ(results.size(), 1u);
  EXPECT_THAT(Keys(results[0]), ElementsAre("127.0.0.1:1", "127.0.0.2:2"));
  resolver->ResolveNow();
  loop.RunFor(kInterval * 3);
  EXPECT_EQ(results.size(), 1u);
  EXPECT_FALSE(loop.has_timers());
}

TEST(LiteralResolverTest, UnixPaths) {
  ManualLoop loop;
  std::vector<Result> results;
  auto resolver = CreateResolver(loop, *ParseTarget("unix:///run/a,/run/b"), kInterval);
  resolver->Start([&](Result result) {
    resolver.reset();
    results.push_back(std::move(result));
  });
  loop.RunFor(Duration(0));
  ASSERT_EQ(results.size(), 1u);
  EXPECT_THAT(Keys(results[0]), ElementsAre("unix:/run/a", "unix:/run/b"));
}

TEST(LiteralResolverTest, AnInterfaceThatIsNotThere) {
  ManualLoop loop;
  std::vector<Result> results;
  auto resolver = CreateResolver(loop, *ParseTarget("ipv6:[fe80::1%25no-such]:1"), kInterval);
  resolver->Start([&](Result result) { results.push_back(std::move(result)); });
  loop.RunFor(Duration(0));
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(results[0].status().message(),
              HasSubstr("target ipv6:[fe80::1%25no-such]:1: address"));
}

TEST(LiteralResolverTest, DestroyedBeforeItsReport) {
  ManualLoop loop;
  auto resolver = CreateResolver(loop, *ParseTarget("ipv4:127.0.0.1:1"), kInterval);
  resolver->Start([](Result) { ADD_FAILURE() << "called after all"; });
  resolver.reset();
  loop.RunFor(kInterval);
  EXPECT_FALSE(loop.has_timers());
}

TEST(SystemResolverTest, OnTheRealLoop) {
  for (const char* text : {"dns:///localhost:50051", "dns:///name.invalid:50051"}) {
    EpollLoop loop;
    Box<Result> box;
    std::unique_ptr<Resolver> resolver;
    RunInLoop(loop, [&] {
      resolver = CreateResolver(loop, *ParseTarget(text), kInterval);
      resolver->Start([&](Result result) {
        EXPECT_TRUE(loop.InLoop());
        box.Put(std::move(result));
      });
    });
    const Result result = box.Take();
    RunInLoop(loop, [&] { resolver.reset(); });
    if (std::string(text) == "dns:///localhost:50051") {
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_THAT(result->front().Key(), HasSubstr("127.0.0.1:50051"));
    } else {
      EXPECT_THAT(result.status().message(), HasSubstr("name.invalid"));
    }
  }
}

}  // namespace
}  // namespace predial
