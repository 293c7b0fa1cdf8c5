// The load of chaos.sh: --callers threads that each send one unary RPC after the other through one
// channel of the kind --contender, with an id of its own in each request, and check each answer.
//
// Prints `ready` when the channel is connected and the load begins, and, when it has ended, one
// line of JSON: the fields of LoadRecord::FinishAsJson(), and `pool`, what PooledChannel::Stats()
// said at the end. The load ends after --seconds or --rpcs, or with SIGTERM. SIGUSR1 starts the
// callers that --callers_first held back. Exit code 0, whatever was lost: that is for the reader to
// judge.
#include <grpcpp/client_context.h>
#include <grpcpp/security/credentials.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "benchmarks/compared_channel.h"
#include "benchmarks/connected_pool.h"
#include "benchmarks/load_record.h"
#include "examples/echo/program.h"
#include "plugin/options.h"
#include "plugin/pooled_channel.h"
#include "plugin/stats.h"
#include "proto/echo.grpc.pb.h"

ABSL_FLAG(std::string, contender, "", "pooled, ordinary (grpc::CreateChannel) or naive");
ABSL_FLAG(std::string, target, "", "ipv4:HOST:PORT,…");
ABSL_FLAG(int, callers, 16, "threads that send RPCs");
ABSL_FLAG(int, callers_first, 0, "of these, how many begin before SIGUSR1; 0 is all");
ABSL_FLAG(absl::Duration, seconds, absl::Seconds(600), "how long, at most");
ABSL_FLAG(int64_t, rpcs, 0, "how many RPCs, at most; 0 is any number");
ABSL_FLAG(absl::Duration, deadline, absl::Seconds(10), "of each RPC");
ABSL_FLAG(absl::Duration, interval, absl::ZeroDuration(), "of a caller, between two RPCs");
ABSL_FLAG(absl::Duration, pause_after_loss, absl::Milliseconds(10),
          "of a caller, so that a target that refuses is not flooded");
ABSL_FLAG(bool, wait_for_ready, false, "RPCs wait for a connection rather than fail without");
ABSL_FLAG(std::string, mode, "auto", "PoolOptions', for pooled: auto, fd or managed");
ABSL_FLAG(int, streams_per_connection_target, 0, "PoolOptions', for pooled; 0 is the default");

namespace predial {
namespace {

int64_t NowNanos() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

absl::StatusOr<PoolOptions::Mode> ModeFlag() {
  const std::string mode = absl::GetFlag(FLAGS_mode);
  if (mode == "auto") return PoolOptions::Mode::kAuto;
  if (mode == "fd") return PoolOptions::Mode::kFd;
  if (mode == "managed") return PoolOptions::Mode::kManaged;
  return absl::InvalidArgumentError(
      absl::StrCat("--mode is '", mode, "'; it must be auto, fd or managed"));
}

struct Contender {
  std::shared_ptr<grpc::ChannelInterface> channel;
  std::shared_ptr<PooledChannel> pool;  // null for the others
};

absl::StatusOr<Contender> CreateContender() {
  const std::string kind = absl::GetFlag(FLAGS_contender);
  const std::string target = absl::GetFlag(FLAGS_target);
  if (kind == "pooled") {
    PoolOptions options;
    const absl::StatusOr<PoolOptions::Mode> mode = ModeFlag();
    if (!mode.ok()) return mode.status();
    options.mode = *mode;
    if (absl::GetFlag(FLAGS_streams_per_connection_target) != 0) {
      options.streams_per_connection_target = absl::GetFlag(FLAGS_streams_per_connection_target);
    }
    auto pool = PooledChannel::TryCreate(target, grpc::InsecureChannelCredentials(), {}, options);
    if (!pool.ok()) return pool.status();
    const absl::Status status = AwaitMembers(**pool, options.connections_min, absl::Seconds(30));
    if (!status.ok()) return status;
    return Contender{*pool, *pool};
  }
  if (kind != "ordinary" && kind != "naive") {
    return absl::InvalidArgumentError(
        absl::StrCat("--contender is '", kind, "'; it must be pooled, ordinary or naive"));
  }
  auto channel = CreateComparedChannel(kind == "ordinary" ? "plain" : kind, target);
  if (!channel.ok()) return channel.status();
  return Contender{*std::move(channel), nullptr};
}

// Counts by their names, without the zeros.
template <typename Enum, typename Counts>
std::string CountsAsJson(const Counts& counts) {
  std::vector<std::string> fields;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    fields.push_back(absl::StrCat(JsonString(ToString(static_cast<Enum>(i))), ":", counts[i]));
  }
  return absl::StrCat("{", absl::StrJoin(fields, ","), "}");
}

std::string PoolAsJson(const PoolStats& stats) {
  const std::string decisions =
      absl::StrJoin(stats.decisions, ",", [](std::string* out, const DecisionStats& decision) {
        absl::StrAppend(out, JsonString(absl::StrCat(
                                 absl::FormatTime("%H:%M:%E3S", decision.when, absl::UTCTimeZone()),
                                 " ", decision.what, " ", decision.endpoint, " #", decision.member,
                                 ": ", decision.reason)));
      });
  return absl::StrCat("{\"mode\":", JsonString(stats.mode), ",\"adopted\":", stats.sockets_adopted,
                      ",\"dials_by_grpc\":", stats.dials_by_grpc,
                      ",\"ready\":", ReadyMembers(stats), ",\"wanted\":", stats.connections_wanted,
                      ",\"dials\":", CountsAsJson<DialResult>(stats.dials),
                      ",\"closed\":", CountsAsJson<CloseReason>(stats.closed),
                      ",\"rotations\":", CountsAsJson<RotateReason>(stats.rotations),
                      ",\"ejections\":", stats.ejections, ",\"readmissions\":", stats.readmissions,
                      ",\"checkouts_anchor\":", stats.checkouts_anchor,
                      ",\"last_error\":", JsonString(stats.last_error), ",\"decisions\":[",
                      decisions, "]}");
}

class Load {
 public:
  Load(std::shared_ptr<grpc::ChannelInterface> channel, LoadRecord& record)
      : channel_(std::move(channel)), record_(record) {}

  // Blocks until the load has ended; `signals` are SIGTERM and SIGUSR1.
  void Run(const sigset_t& signals) {
    const int callers = absl::GetFlag(FLAGS_callers);
    const int first = absl::GetFlag(FLAGS_callers_first);
    Start(first == 0 ? callers : first);
    const absl::Time end = absl::Now() + absl::GetFlag(FLAGS_seconds);
    while (!stop_ && absl::Now() < end) {
      // Short, to see that the callers have sent their --rpcs.
      const timespec nap = absl::ToTimespec(
          std::min(absl::Milliseconds(20), std::max(absl::ZeroDuration(), end - absl::Now())));
      const int signal = sigtimedwait(&signals, nullptr, &nap);
      if (signal == SIGTERM) break;
      if (signal == SIGUSR1) Start(callers);
    }
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Start(int callers) {
    while (static_cast<int>(threads_.size()) < callers) {
      const int number = static_cast<int>(threads_.size());
      threads_.emplace_back([this, number] { Call(number); });
    }
  }

  void Call(int caller) {
    const std::unique_ptr<echo::v1::Echo::Stub> stub = echo::v1::Echo::NewStub(channel_);
    const int64_t rpcs_max = absl::GetFlag(FLAGS_rpcs);
    for (int64_t i = 0; !stop_; ++i) {
      if (rpcs_max != 0 && begun_.fetch_add(1) >= rpcs_max) {
        stop_ = true;
        return;
      }
      const bool ok = SendOne(*stub, absl::StrCat(caller, ".", i));
      if (!ok) Pause(absl::GetFlag(FLAGS_pause_after_loss));
      Pause(absl::GetFlag(FLAGS_interval));
    }
  }

  bool SendOne(echo::v1::Echo::Stub& stub, const std::string& id) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::GetFlag(FLAGS_deadline)));
    context.set_wait_for_ready(absl::GetFlag(FLAGS_wait_for_ready));
    echo::v1::EchoRequest request;
    echo::v1::EchoResponse response;
    request.set_message(id);
    const int64_t began = NowNanos();
    const grpc::Status status = stub.Unary(&context, request, &response);
    const int64_t ended = NowNanos();
    if (!status.ok()) {
      record_.OnLost(began, ended, status.error_code(), status.error_message());
    } else if (response.message() != id) {
      record_.OnWrong();
    } else {
      record_.OnSuccess(ended);
    }
    return status.ok();
  }

  // Shorter if the load ends meanwhile.
  void Pause(absl::Duration length) {
    const absl::Time end = absl::Now() + length;
    while (!stop_ && absl::Now() < end) {
      absl::SleepFor(std::min(absl::Milliseconds(20), end - absl::Now()));
    }
  }

  const std::shared_ptr<grpc::ChannelInterface> channel_;
  LoadRecord& record_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stop_{false};
  std::atomic<int64_t> begun_{0};
};

absl::Status Run(const sigset_t& signals) {
  const int callers = absl::GetFlag(FLAGS_callers);
  const int first = absl::GetFlag(FLAGS_callers_first);
  if (callers < 1 || callers > 1024 || first < 0 || first > callers) {
    return absl::InvalidArgumentError(
        "--callers must be within [1, 1024], --callers_first within [0, callers]");
  }
  absl::StatusOr<Contender> contender = CreateContender();
  if (!contender.ok()) return contender.status();
  LoadRecord record(NowNanos());
  printf("ready\n");
  if (fflush(stdout) != 0) return absl::ErrnoToStatus(errno, "cannot write to stdout");
  Load(contender->channel, record).Run(signals);
  const std::string fields = record.FinishAsJson(NowNanos());
  const std::string pool = contender->pool ? PoolAsJson(contender->pool->Stats()) : "null";
  printf("{%s,\"pool\":%s}\n", fields.c_str(), pool.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace predial

int main(int argc, char** argv) {
  return predial::RunProgram(argc, argv, "sends unary RPCs and says what became of them",
                             {SIGTERM, SIGUSR1}, predial::Run);
}
