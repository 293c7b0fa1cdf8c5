#include "plugin/advise_size.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace predial {
namespace {

using testing::HasSubstr;

// `count` samples, a second apart, of what `make` says for 0, 1, ….
std::vector<LoadPoint> Trace(int count, const std::function<LoadPoint(int)>& make) {
  std::vector<LoadPoint> trace;
  for (int i = 0; i < count; ++i) {
    trace.push_back(make(i));
    trace.back().time = absl::UnixEpoch() + absl::Seconds(i);
  }
  return trace;
}

LoadPoint Busy(double in_flight, int connections = 0, double latency_ms = 0) {
  LoadPoint point;
  point.in_flight = in_flight;
  point.connections = connections;
  point.latency = absl::Milliseconds(latency_ms);
  return point;
}

SizeAdvice Advise(const std::vector<LoadPoint>& trace) {
  const auto advice = AdviseSize(trace);
  EXPECT_TRUE(advice.ok()) << advice.status();
  return advice.ok() ? *advice : SizeAdvice();
}

std::string Error(const std::vector<LoadPoint>& trace) {
  const auto advice = AdviseSize(trace);
  EXPECT_EQ(advice.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(advice.status().message());
}

// 2,000 RPCs a second of 50 ms: 100 in flight, 4 connections of 32.
TEST(AdviseSizeTest, KnowsLittlesLaw) {
  LoadPoint point;
  point.rpcs_per_second = 2000;
  point.latency = absl::Milliseconds(50);
  const SizeAdvice advice = Advise(Trace(60, [&](int) { return point; }));
  EXPECT_EQ(advice.streams_per_connection_target, 32);
  EXPECT_EQ(advice.connections_min, 4);
  EXPECT_EQ(advice.connections_max, 4);  // 125 / 32
  EXPECT_THAT(advice.reasons.back(), HasSubstr("of 60 samples the RPCs in flight are by Little's"));
}

// 1,000 RPCs at a time, a limit of 100 streams, and a server that takes 50 ms whatever the number:
// 12.5 connections at 80 streams each, and a quarter more for growth.
TEST(AdviseSizeTest, AThousandRpcsAtALimitOfAHundredStreams) {
  const SizeAdvice advice = Advise(Trace(60, [](int i) {
    LoadPoint point = Busy(1000, 8 + i % 6, 50);
    point.stream_limit = 100;
    return point;
  }));
  EXPECT_EQ(advice.streams_per_connection_target, 80);
  EXPECT_EQ(advice.connections_min, 13);
  EXPECT_EQ(advice.connections_max, 16);
  EXPECT_THAT(advice.reasons[0], HasSubstr("the peer allows 100 streams"));
}

TEST(AdviseSizeTest, ALowStreamLimitIsBelowTheDefault) {
  const SizeAdvice advice = Advise(Trace(10, [](int) {
    LoadPoint point = Busy(30);
    point.stream_limit = 10;
    return point;
  }));
  EXPECT_EQ(advice.streams_per_connection_target, 8);
  EXPECT_EQ(advice.connections_min, 4);
  EXPECT_EQ(advice.connections_max, 5);
}

// From 10 RPCs on a connection on they wait for each other.
TEST(AdviseSizeTest, LatencyThatGrowsWithTheCrowdLowersTheTarget) {
  const SizeAdvice advice = Advise(Trace(400, [](int i) {
    const double each = 1 + i % 40;
    return Busy(4 * each, 4, each <= 10 ? 5 : 5 * each / 10);
  }));
  EXPECT_LE(advice.streams_per_connection_target, 10);
  EXPECT_GE(advice.streams_per_connection_target, 5);
  EXPECT_THAT(advice.reasons[0], HasSubstr("longer"));
}

TEST(AdviseSizeTest, TheUsualLoadSetsTheMinimumAndThePeakTheMaximum) {
  const SizeAdvice advice = Advise(Trace(100, [](int i) {
    return Busy(i == 50 ? 320 : i < 60 ? 96 : 10);
  }));
  EXPECT_EQ(advice.connections_min, 3);
  EXPECT_EQ(advice.connections_max, 13);  // 400 / 32
}

TEST(AdviseSizeTest, ALittleLoadHasTwoConnections) {
  LoadPoint rest;
  const SizeAdvice advice = Advise(Trace(100, [&](int i) { return i % 10 == 0 ? Busy(1) : rest; }));
  EXPECT_EQ(advice.connections_min, 2);
  EXPECT_EQ(advice.connections_max, 2);
  EXPECT_THAT(advice.reasons[1], HasSubstr("the loss of one stops nothing"));
}

TEST(AdviseSizeTest, WhatWaitsIsLoadToo) {
  const SizeAdvice advice = Advise(Trace(10, [](int) {
    LoadPoint point = Busy(32);
    point.waiting = 64;
    return point;
  }));
  EXPECT_EQ(advice.connections_min, 3);
  EXPECT_THAT(advice.ToString(), HasSubstr("the pool was too small at times"));
}

TEST(AdviseSizeTest, SaysWhenOnePoolIsNotEnough) {
  const SizeAdvice advice = Advise(Trace(10, [](int) { return Busy(1e6); }));
  EXPECT_EQ(advice.connections_max, 1024);
  EXPECT_THAT(advice.ToString(), HasSubstr("use several pools"));
}

TEST(AdviseSizeTest, WhatItAdvisesIsValid) {
  for (const double load : {1.0, 10.0, 100.0, 5000.0, 1e7}) {
    for (const uint32_t limit : {0u, 1u, 100u, 4294967295u}) {
      PoolOptions options;
      Advise(Trace(9, [&](int i) {
        LoadPoint point = Busy(load, 1 + i, 10);
        point.stream_limit = limit;
        return point;
      })).ApplyTo(options);
      EXPECT_TRUE(options.Validate().ok()) << options.Validate() << " at " << load << ", " << limit;
    }
  }
}

TEST(AdviseSizeTest, RefusesWhatIsNoTrace) {
  EXPECT_EQ(Error({}), "the trace is empty");
  std::vector<LoadPoint> trace = Trace(3, [](int) { return Busy(1); });
  trace[2].time = trace[1].time;
  EXPECT_EQ(Error(trace), "sample 2 of the trace: its time is not after that of the one before");
  trace = Trace(3, [](int) { return LoadPoint(); });
  EXPECT_THAT(Error(trace), HasSubstr("no sample of the trace has a load"));
  for (const double bad : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    trace = Trace(3, [](int) { return Busy(1); });
    trace[1].in_flight = bad;
    EXPECT_EQ(Error(trace), "sample 1 of the trace: a number is negative, or not one");
  }
  trace = Trace(3, [](int) { return Busy(1); });
  trace[0].latency = absl::Seconds(-1);
  EXPECT_EQ(Error(trace), "sample 0 of the trace: its latency is negative, or infinite");
  trace = Trace(3, [](int) { return Busy(1); });
  trace[0].connections = -1;
  EXPECT_EQ(Error(trace), "sample 0 of the trace: its connections are negative");
}

}  // namespace
}  // namespace predial
