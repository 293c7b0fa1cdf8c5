// A client that a test drives: one channel to --target, pooled or ordinary. Prints `ready`, then
// answers commands (commands.h) with messages of report.proto:
//
//   calls N    N unary RPCs of EchoService, one after the other: Calls
//   begin N    N threads begin to call without a pause: an empty Calls
//   end        they stop: the Calls of all of them
//   pool       how the channel stands: Pool
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "examples/echo/program.h"
#include "interop_tests/driven/commands.h"
#include "interop_tests/driven/report.pb.h"
#include "plugin/options.h"
#include "plugin/pooled_channel.h"
#include "plugin/stats.h"
#include "proto/echo.grpc.pb.h"

ABSL_FLAG(std::string, target, "", "as of grpc::CreateChannel");
ABSL_FLAG(std::string, channel, "pooled", "pooled or ordinary");
ABSL_FLAG(std::string, authority, "", "GRPC_ARG_DEFAULT_AUTHORITY, if not empty");
ABSL_FLAG(absl::Duration, connect_timeout, absl::Seconds(20),
          "of an ordinary channel, for each address");
ABSL_FLAG(std::string, health_service, "", "HealthOptions::service");
ABSL_FLAG(absl::Duration, health_interval, absl::Seconds(5),
          "HealthOptions::interval; the timeout is the same, if that is less than its default");
ABSL_FLAG(absl::Duration, backoff, absl::Seconds(1), "BackoffOptions::initial; without jitter");
ABSL_FLAG(absl::Duration, resolve_interval, absl::Seconds(30), "PoolOptions::resolve_interval");

namespace predial::driven {
namespace {

using Words = std::vector<std::string>;
using Reply = absl::StatusOr<std::unique_ptr<google::protobuf::Message>>;

constexpr int kErrorsMax = 20;
constexpr int kThreadsMax = 16;
constexpr std::chrono::seconds kDeadline{10};

std::string First(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata,
                  const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return "(none)";
  return std::string(found->second.data(), found->second.size());
}

void Call(echo::v1::Echo::Stub& stub, Calls& calls) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  echo::v1::EchoRequest request;
  request.set_message(absl::StrCat("call ", calls.ok()));
  echo::v1::EchoResponse response;
  const grpc::Status status = stub.Unary(&context, request, &response);
  if (!status.ok() || response.message() != request.message()) {
    calls.set_failed(calls.failed() + 1);
    if (calls.errors_size() < kErrorsMax) {
      calls.add_errors(absl::StrCat(status.error_code(), ": ",
                                    status.ok() ? "a wrong answer" : status.error_message()));
    }
    return;
  }
  calls.set_ok(calls.ok() + 1);
  ++(*calls.mutable_servers())[First(context.GetServerInitialMetadata(), "server-name")];
  ++(*calls.mutable_authorities())[First(context.GetServerInitialMetadata(), "seen-authority")];
}

void Add(const Calls& more, Calls& calls) {
  calls.set_ok(calls.ok() + more.ok());
  calls.set_failed(calls.failed() + more.failed());
  for (const std::string& error : more.errors()) calls.add_errors(error);
  for (const auto& [name, count] : more.servers()) (*calls.mutable_servers())[name] += count;
  for (const auto& [name, count] : more.authorities()) {
    (*calls.mutable_authorities())[name] += count;
  }
}

template <typename Enum, typename Counts>
void Fill(const Counts& counts, google::protobuf::Map<std::string, int32_t>& map) {
  for (size_t i = 0; i < counts.size(); ++i) {
    map[ToString(static_cast<Enum>(i))] = static_cast<int32_t>(counts[i]);
  }
}

std::unique_ptr<Pool> PoolOf(const PoolStats& stats) {
  auto pool = std::make_unique<Pool>();
  pool->set_state(stats.state);
  pool->set_panic(stats.panic);
  for (const EndpointStats& from : stats.endpoints) {
    Pool::Endpoint& endpoint = *pool->add_endpoints();
    endpoint.set_address(from.address);
    endpoint.set_ready(from.ready);
    endpoint.set_ejected(from.ejected);
    endpoint.set_draining(from.draining);
    endpoint.set_serving(from.serving);
    endpoint.set_rpcs(static_cast<int32_t>(from.rpcs));
    endpoint.set_last_error(from.last_error);
  }
  for (const DecisionStats& from : stats.decisions) {
    Pool::Decision& decision = *pool->add_decisions();
    decision.set_what(from.what);
    decision.set_endpoint(from.endpoint);
    decision.set_member(static_cast<int32_t>(from.member));
    decision.set_reason(from.reason);
  }
  pool->set_on_members(static_cast<int32_t>(stats.checkouts_new + stats.checkouts_reused));
  pool->set_on_anchor(static_cast<int32_t>(stats.checkouts_anchor));
  pool->set_last_error(stats.last_error);
  Fill<HealthResult>(stats.health_checks, *pool->mutable_health_checks());
  Fill<CloseReason>(stats.closed, *pool->mutable_closed());
  return pool;
}

class Probe {
 public:
  ~Probe() { End(); }

  absl::Status Start() {
    grpc::ChannelArguments args;
    const std::string authority = absl::GetFlag(FLAGS_authority);
    if (!authority.empty()) args.SetString(GRPC_ARG_DEFAULT_AUTHORITY, authority);
    const std::string kind = absl::GetFlag(FLAGS_channel);
    if (kind == "ordinary") {
      args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                  static_cast<int>(absl::GetFlag(FLAGS_connect_timeout) / absl::Milliseconds(1)));
      // As the pool, which has a second; gRPC's default is 30 s.
      args.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1000);
      ordinary_ = grpc::CreateCustomChannel(absl::GetFlag(FLAGS_target),
                                            grpc::InsecureChannelCredentials(), args);
      stub_ = echo::v1::Echo::NewStub(ordinary_);
    } else if (kind == "pooled") {
      auto pooled = PooledChannel::TryCreate(absl::GetFlag(FLAGS_target),
                                             grpc::InsecureChannelCredentials(), args, Options());
      if (!pooled.ok()) return pooled.status();
      pooled_ = *std::move(pooled);
      stub_ = echo::v1::Echo::NewStub(pooled_);
    } else {
      return absl::InvalidArgumentError(absl::StrCat("--channel=", kind));
    }
    printf("ready\n");
    return fflush(stdout) == 0 ? absl::OkStatus() : absl::ErrnoToStatus(errno, "stdout");
  }

  Reply Obey(const Words& words) {
    int count = 1;
    if (words.size() > 1 && !absl::SimpleAtoi(words[1], &count)) {
      return absl::InvalidArgumentError("not a number");
    }
    if (words[0] == "calls") {
      auto calls = std::make_unique<Calls>();
      for (int i = 0; i < count; ++i) Call(*stub_, *calls);
      return calls;
    }
    if (words[0] == "begin" && count >= 1 && count <= kThreadsMax && threads_.empty()) {
      return Begin(count);
    }
    if (words[0] == "end") return End();
    if (words[0] == "pool") return State();
    return absl::InvalidArgumentError("unknown command");
  }

 private:
  static PoolOptions Options() {
    PoolOptions options;
    options.health.service = absl::GetFlag(FLAGS_health_service);
    options.health.interval = absl::GetFlag(FLAGS_health_interval);
    options.health.timeout = std::min(options.health.timeout, options.health.interval);
    options.backoff.initial = absl::GetFlag(FLAGS_backoff);
    options.backoff.jitter = 0;
    options.resolve_interval = absl::GetFlag(FLAGS_resolve_interval);
    return options;
  }

  Reply Begin(int count) {
    stop_ = false;
    of_thread_.assign(count, Calls());
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, calls = &of_thread_[i]] {
        while (!stop_) Call(*stub_, *calls);
      });
    }
    return std::make_unique<Calls>();
  }

  std::unique_ptr<Calls> End() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    auto calls = std::make_unique<Calls>();
    for (const Calls& part : of_thread_) Add(part, *calls);
    of_thread_.clear();
    return calls;
  }

  Reply State() const {
    if (pooled_ != nullptr) return PoolOf(pooled_->Stats());
    auto pool = std::make_unique<Pool>();
    pool->set_state(absl::StrCat(ordinary_->GetState(/*try_to_connect=*/false)));
    return pool;
  }

  std::shared_ptr<grpc::Channel> ordinary_;  // one of the two
  std::shared_ptr<PooledChannel> pooled_;
  std::unique_ptr<echo::v1::Echo::Stub> stub_;
  std::atomic<bool> stop_{false};
  std::vector<Calls> of_thread_;  // each of its thread's, until that has ended
  std::vector<std::thread> threads_;
};

absl::Status Run() {
  Probe probe;
  const absl::Status status = probe.Start();
  if (!status.ok()) return status;
  return RunCommands([&](const Words& words) { return probe.Obey(words); });
}

}  // namespace
}  // namespace predial::driven

int main(int argc, char** argv) {
  return predial::RunProgram(argc, argv, "a client that obeys the lines on its stdin", {},
                             [](const sigset_t&) { return predial::driven::Run(); });
}
