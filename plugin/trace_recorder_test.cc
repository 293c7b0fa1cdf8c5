#include "plugin/trace_recorder.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "plugin/channel_test_util.h"
#include "plugin/pooled_channel.h"

namespace predial {
namespace {

const absl::Time kStart = absl::UnixEpoch();

PoolStats Counts(int64_t rpcs, int64_t leases) {
  PoolStats stats;
  stats.checkouts_new = 2;
  stats.checkouts_reused = rpcs - 2;
  stats.leases = leases;
  stats.checkout_waiters = 3;
  stats.peer_max_concurrent_streams = 100;
  stats.endpoints.resize(2);
  stats.endpoints[0].ready = 4;
  stats.endpoints[1].ready = 1;
  return stats;
}

TEST(TraceRecorderTest, AStepIsTheRateAndByLittlesLawTheLatency) {
  const LoadPoint point =
      TraceRecorder::Step(Counts(1000, 80), kStart, Counts(5000, 120), kStart + absl::Seconds(2));
  EXPECT_EQ(point.time, kStart + absl::Seconds(2));
  EXPECT_EQ(point.in_flight, 120);
  EXPECT_EQ(point.waiting, 3);
  EXPECT_EQ(point.connections, 5);
  EXPECT_EQ(point.stream_limit, 100u);
  EXPECT_DOUBLE_EQ(point.rpcs_per_second, 2000);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(point.latency), 50, 1e-6);  // 100 / 2000
}

TEST(TraceRecorderTest, TheMeasuredLatencyComesFirst) {
  PoolStats before = Counts(1000, 80);
  PoolStats after = Counts(5000, 120);
  before.rpcs_measured = 900;
  before.rpcs_measured_nanos = 1000;
  after.rpcs_measured = 1000;
  after.rpcs_measured_nanos = 1000 + 700'000'000;
  const auto step = [&] {
    return TraceRecorder::Step(before, kStart, after, kStart + absl::Seconds(2)).latency;
  };
  EXPECT_EQ(step(), absl::Milliseconds(7));
  after.rpcs_measured = 800;  // a member has gone, and its counts with it
  EXPECT_NEAR(absl::ToDoubleMilliseconds(step()), 50, 1e-6);
}

TEST(TraceRecorderTest, TheFirstStepAndAQuietOneHaveNoRate) {
  const LoadPoint first =
      TraceRecorder::Step(PoolStats(), absl::InfinitePast(), Counts(1000, 80), kStart);
  EXPECT_EQ(first.in_flight, 80);
  EXPECT_EQ(first.rpcs_per_second, 0);
  const LoadPoint quiet =
      TraceRecorder::Step(Counts(1000, 0), kStart, Counts(1000, 0), kStart + absl::Seconds(1));
  EXPECT_EQ(quiet.rpcs_per_second, 0);
  EXPECT_EQ(quiet.latency, absl::ZeroDuration());
}

TEST(TraceRecorderTest, RecordsAPool) {
  const auto server = StartServer();
  PoolOptions options;
  options.sizing = SizingKind::kAdaptive;
  const auto channel =
      PooledChannel::Create(TargetOf(*server), grpc::InsecureChannelCredentials(), options);
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2));
  const auto stub = echo::v1::Echo::NewStub(channel);
  TraceRecorder recorder(channel);
  EXPECT_TRUE(recorder.trace().empty());
  recorder.Sample();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Echo(*stub).ok());
  recorder.Sample();
  const auto trace = recorder.trace();
  ASSERT_EQ(trace.size(), 2u);
  EXPECT_LT(trace[0].time, trace[1].time);
  EXPECT_EQ(trace[1].connections, 2);
  const double seconds = absl::ToDoubleSeconds(trace[1].time - trace[0].time);
  EXPECT_GT(trace[1].rpcs_per_second * seconds, 49);
  EXPECT_GT(trace[1].latency, absl::ZeroDuration());
  EXPECT_LT(trace[1].latency, trace[1].time - trace[0].time);
  const auto advice = AdviseSize(trace);  // hardly one in flight
  ASSERT_TRUE(advice.ok()) << advice.status();
  EXPECT_EQ(advice->connections_min, 2);
  EXPECT_EQ(advice->connections_max, 2);
}

}  // namespace
}  // namespace predial
