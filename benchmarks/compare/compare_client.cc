// One contender under one load, in a process of its own: what compare.py runs, and compares.
//
// Prints one line of JSON: what the load saw and what the process used. Times are microseconds.
// Exit code 0: the load ran, whatever became of its RPCs.
#include <signal.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "benchmarks/compare/contender.h"
#include "benchmarks/compare/load_window.h"
#include "benchmarks/compare/loads.h"
#include "benchmarks/compare/process_usage.h"
#include "benchmarks/compare/stream_load.h"
#include "benchmarks/compare/unary_rpc.h"
#include "benchmarks/load_record.h"
#include "examples/echo/program.h"
#include "examples/echo/tls.h"

ABSL_FLAG(std::string, contender, "pooled", predial::kContenderKinds);
ABSL_FLAG(std::vector<std::string>, address, {},
          "where the echo server listens, 127.0.0.1:PORT; several, for arrivals and idle: a "
          "contender for each, in turn");
ABSL_FLAG(
    std::string, load, "callers",
    "callers (closed-loop, callback API), threads (closed-loop, synchronous), arrivals "
    "(open-loop), mixed (arrivals, beside --callers that move --beside_bytes), steps (callers, "
    "each number of --steps for --warmup and --length), burst "
    "(--callers RPCs within --within), streams (--callers open streams), first (one RPC, and "
    "another one after --idle) or idle (--callers RPCs, and none for --idle)");
ABSL_FLAG(int, callers, 1, "RPCs at a time; threads; RPCs of a burst; streams");
ABSL_FLAG(std::vector<std::string>, steps, {}, "for steps: RPCs at a time, one after the other");
ABSL_FLAG(double, rate, 1000, "RPCs per second, for arrivals and mixed");
ABSL_FLAG(absl::Duration, warmup, absl::Seconds(1), "before it counts");
ABSL_FLAG(absl::Duration, length, absl::Seconds(5), "of what counts");
ABSL_FLAG(absl::Duration, within, absl::Milliseconds(10), "of a burst");
ABSL_FLAG(absl::Duration, idle, absl::Seconds(60), "before the second RPC, or of the idle time");
ABSL_FLAG(int, request_bytes, 128, "padding of each request");
ABSL_FLAG(int, response_bytes, 128, "padding of each response");
ABSL_FLAG(int, beside_bytes, 4 << 20, "for mixed: padding of each response of the other RPCs");
ABSL_FLAG(absl::Duration, handler_delay, absl::ZeroDuration(), "before the server answers");
ABSL_FLAG(int, connections_min, 0, "PoolOptions', for pools; 0 is the default");
ABSL_FLAG(int, connections_max, 0, "PoolOptions', for pools; 0 is the default");
// Not 1 s: a thread of gRPC's callback API, the server's too, sleeps for 100 ms once nothing has
// happened for 1 s. All RPCs would come then.
ABSL_FLAG(absl::Duration, lead, absl::Milliseconds(1500),
          "from the making of the channels to the first RPC, if they are not waited for: for burst "
          "and first");

namespace predial {
namespace {

std::string Micros(int64_t nanos) { return absl::StrCat(static_cast<double>(nanos) / 1000.0); }

std::string LatenciesAsJson(const LatencyHistogram& latencies) {
  return absl::StrCat(
      "{\"mean\":", latencies.mean() / 1000.0, ",\"p50\":", Micros(latencies.Quantile(0.5)),
      ",\"p90\":", Micros(latencies.Quantile(0.9)), ",\"p99\":", Micros(latencies.Quantile(0.99)),
      ",\"p999\":", Micros(latencies.Quantile(0.999)), ",\"max\":", Micros(latencies.max()), "}");
}

std::string AsJson(const LoadReport& report) {
  return absl::StrCat("\"rpcs\":", report.rpcs, ",\"lost\":", report.lost,
                      ",\"first_lost\":", JsonString(report.first_lost),
                      ",\"seconds\":", report.seconds, ",\"cpu_seconds\":", report.cpu_seconds,
                      ",\"latency\":", LatenciesAsJson(report.latencies));
}

absl::StatusOr<std::string> OrError(const absl::StatusOr<LoadReport>& report) {
  if (!report.ok()) return report.status();
  return AsJson(*report);
}

// The first RPC of a process, and the one after a long rest.
std::string RunFirst(const Contender& contender, const RpcShape& shape) {
  std::string times;
  UnaryRpc rpc(contender, shape);
  for (const char* name : {"after_start", "after_idle"}) {
    if (!times.empty()) absl::SleepFor(absl::GetFlag(FLAGS_idle));
    const absl::Time began = absl::Now();
    const grpc::Status status = rpc.Send();
    const absl::Duration took = absl::Now() - began;
    absl::StrAppend(&times, times.empty() ? "" : ",", "\"", name,
                    "\":{\"ok\":", status.ok() ? "true" : "false",
                    ",\"took\":", Micros(absl::ToInt64Nanoseconds(took)), "}");
  }
  return times;
}

std::string RunIdle(const std::vector<Contender>& contenders, const RpcShape& shape, int rpcs) {
  int lost = 0;
  for (int i = 0; i < rpcs; ++i) {
    lost += UnaryRpc(contenders[i % contenders.size()], shape).Send().ok() ? 0 : 1;
  }
  absl::SleepFor(absl::GetFlag(FLAGS_warmup));
  const double before = CpuSeconds();
  absl::SleepFor(absl::GetFlag(FLAGS_idle));
  return absl::StrCat("\"lost\":", lost,
                      ",\"seconds\":", absl::ToDoubleSeconds(absl::GetFlag(FLAGS_idle)),
                      ",\"cpu_seconds\":", CpuSeconds() - before);
}

absl::StatusOr<std::string> RunSteps(const Contender& contender, const RpcShape& shape,
                                     const LoadTimes& times) {
  std::string steps;
  int64_t lost = 0;
  for (const std::string& step : absl::GetFlag(FLAGS_steps)) {
    int callers = 0;
    if (!absl::SimpleAtoi(step, &callers)) {
      return absl::InvalidArgumentError(absl::StrCat("'", step, "' in --steps is no number"));
    }
    const absl::StatusOr<LoadReport> report = RunCallers(contender, shape, callers, times);
    if (!report.ok()) return report.status();
    absl::StrAppend(&steps, steps.empty() ? "" : ",", "{", AsJson(*report), "}");
    lost += report->lost;
  }
  if (steps.empty()) return absl::InvalidArgumentError("--steps is missing");
  return absl::StrCat("\"lost\":", lost, ",\"steps\":[", steps, "]");
}

absl::StatusOr<std::string> RunLoad(const std::vector<Contender>& contenders) {
  const std::string load = absl::GetFlag(FLAGS_load);
  const int callers = absl::GetFlag(FLAGS_callers);
  const double rate = absl::GetFlag(FLAGS_rate);
  const LoadTimes times = {absl::GetFlag(FLAGS_warmup), absl::GetFlag(FLAGS_length)};
  RpcShape shape;
  shape.request_bytes = absl::GetFlag(FLAGS_request_bytes);
  shape.response_bytes = absl::GetFlag(FLAGS_response_bytes);
  shape.handler_delay = absl::GetFlag(FLAGS_handler_delay);
  const Contender& contender = contenders[0];
  if (load == "callers") return OrError(RunCallers(contender, shape, callers, times));
  if (load == "threads") return OrError(RunThreads(contender, shape, callers, times));
  if (load == "steps") return RunSteps(contender, shape, times);
  if (load == "arrivals") return OrError(RunArrivals(contenders, shape, rate, times));
  if (load == "burst") {
    return OrError(RunBurst(contender, shape, callers, absl::GetFlag(FLAGS_within)));
  }
  if (load == "mixed") {
    RpcShape beside = shape;
    beside.response_bytes = absl::GetFlag(FLAGS_beside_bytes);
    return OrError(RunMixed(contender, shape, rate, beside, callers, times));
  }
  if (load == "streams") {
    const auto report = RunStreams(contender, callers, absl::GetFlag(FLAGS_length));
    if (!report.ok()) return report.status();
    return absl::StrCat("\"progressed\":", report->progressed, ",\"finished\":", report->finished);
  }
  if (load == "first") return RunFirst(contender, shape);
  if (load == "idle") return RunIdle(contenders, shape, callers);
  return absl::InvalidArgumentError(absl::StrCat("--load is '", load, "'; see --help"));
}

absl::Status Run(const sigset_t& /*signals*/) {
  const std::vector<std::string> addresses = absl::GetFlag(FLAGS_address);
  if (addresses.empty()) return absl::InvalidArgumentError("--address is missing");
  const std::string load = absl::GetFlag(FLAGS_load);
  ContenderOptions options;
  options.connections_min = absl::GetFlag(FLAGS_connections_min);
  options.connections_max = absl::GetFlag(FLAGS_connections_max);
  options.connected = load != "burst" && load != "first";
  auto credentials = ClientCredentialsFromFlags();
  if (!credentials.ok()) return credentials.status();
  options.credentials = *std::move(credentials);
  std::vector<Contender> contenders;
  for (const std::string& address : addresses) {
    auto contender = CreateContender(absl::GetFlag(FLAGS_contender), address, options);
    if (!contender.ok()) return contender.status();
    contenders.push_back(*std::move(contender));
  }
  if (!options.connected) absl::SleepFor(absl::GetFlag(FLAGS_lead));
  const absl::StatusOr<std::string> report = RunLoad(contenders);
  if (!report.ok()) return report.status();
  const absl::StatusOr<ProcessUsage> usage = ReadProcessUsage();
  if (!usage.ok()) return usage.status();
  printf(
      "{\"contender\":%s,%s,\"peak_kib\":%lld,\"private_dirty_kib\":%lld,\"threads\":%d,"
      "\"connections\":%d}\n",
      JsonString(absl::GetFlag(FLAGS_contender)).c_str(), report->c_str(),
      static_cast<long long>(usage->peak_kib), static_cast<long long>(usage->private_dirty_kib),
      usage->threads, usage->sockets);
  return absl::OkStatus();
}

}  // namespace
}  // namespace predial

int main(int argc, char** argv) {
  return predial::RunProgram(argc, argv, "sends RPCs one way, and says what they cost", {},
                             predial::Run);
}
