// What it costs an RPC to get a member and to give it back: MemberTable::Acquire() and
// Lease::End().
//
//   bazel run -c opt --config=system //benchmarks:checkout
//
// PICKER[/unchecked]/members:M/threads:T. `unchecked` is without PoolOptions::alive_check, which
// looks at the connection with a system call; each member has a TCP connection of its own. Every
// member has one RPC in flight throughout, so that the pickers that look at loads have something to
// look at: kLeastLoaded would stop at the first idle one. CPU is the figure to read: nanoseconds of
// CPU per RPC. Time is wall time / threads, and means little with more threads than cores.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "benchmark/benchmark.h"
#include "plugin/io/unique_fd.h"
#include "plugin/member_table.h"

namespace predial {
namespace {

// Aborts with the name of what failed.
int OrDie(const char* what, int result) {
  if (result >= 0) return result;
  std::perror(what);
  std::abort();
}

// One end of a loopback TCP connection, and the other.
struct Connection {
  std::shared_ptr<const UniqueFd> ours;
  UniqueFd theirs;
};

std::vector<Connection> Connect(int count) {
  UniqueFd listener(OrDie("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  OrDie("bind", bind(listener.get(), generic, size));
  OrDie("listen", listen(listener.get(), 1));
  OrDie("getsockname", getsockname(listener.get(), generic, &size));
  std::vector<Connection> connections;
  for (int i = 0; i < count; ++i) {
    UniqueFd ours(OrDie("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    OrDie("connect", connect(ours.get(), generic, sizeof(address)));
    UniqueFd theirs(OrDie("accept4", accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    connections.push_back({std::make_shared<const UniqueFd>(std::move(ours)), std::move(theirs)});
  }
  return connections;
}

// Published members with a lease on each. Shared by the threads of one run.
class Fixture {
 public:
  Fixture(int members, PickerKind picker, bool alive_check)
      : connections_(Connect(members)),
        table_({members, picker, alive_check},
               MemberTable::Signals{[] {}, [](Slot*) {}, [](MemberId, bool) {}, [](MemberId) {},
                                    [](MemberId, FailureStreak) {}, [](MemberId) {},
                                    [](MemberId, const std::string&) {}}) {
    // Never used, so never connected: a lease only holds it.
    const auto channel = grpc::CreateChannel("127.0.0.1:1", grpc::InsecureChannelCredentials());
    table_.SetFallback(table_.Open(MemberId{}, channel, /*stream_limit=*/0));
    std::vector<Slot*> slots;
    for (int i = 0; i < members; ++i) {
      // With a limit, as many servers have one, so that it is looked at.
      slots.push_back(table_.Open(MemberId{static_cast<uint64_t>(i + 1)}, channel,
                                  /*stream_limit=*/128, {connections_[i].ours}));
      table_.Publish({slots.back()});
      standing_.push_back(table_.Acquire());
    }
    table_.Publish(slots);
    table_.SetAttention(32);  // as in a pool at work
  }

  MemberTable& table() { return table_; }

 private:
  const std::vector<Connection> connections_;
  MemberTable table_;
  std::vector<Lease> standing_;
};

std::unique_ptr<Fixture> fixture;  // of the run; written before and after its threads

template <PickerKind kPicker, bool kAliveCheck>
void SetUp(const benchmark::State& state) {
  fixture = std::make_unique<Fixture>(static_cast<int>(state.range(0)), kPicker, kAliveCheck);
}

void TearDown(const benchmark::State& /*state*/) { fixture.reset(); }

void Checkout(benchmark::State& state) {
  MemberTable& table = fixture->table();
  for (auto _ : state) {
    Lease lease = table.Acquire();
    benchmark::DoNotOptimize(&lease);
    if (lease.source() == Lease::Source::kAnchor) state.SkipWithError("found no member");
    lease.End(RpcOutcome::kOk);
  }
}

template <PickerKind kPicker, bool kAliveCheck>
void Register(const char* name) {
  benchmark::RegisterBenchmark(name, Checkout)
      ->ArgName("members")
      ->Arg(1)
      ->Arg(8)
      ->Arg(64)
      ->Arg(512)
      ->Setup(SetUp<kPicker, kAliveCheck>)
      ->Teardown(TearDown)
      ->Threads(1)
      ->Threads(4)
      ->Threads(16);
}

template <bool kAliveCheck>
void RegisterAll(const char* round_robin, const char* two_choices, const char* least_loaded,
                 const char* peak_ewma) {
  Register<PickerKind::kRoundRobin, kAliveCheck>(round_robin);
  Register<PickerKind::kPowerOfTwoChoices, kAliveCheck>(two_choices);
  Register<PickerKind::kLeastLoaded, kAliveCheck>(least_loaded);
  Register<PickerKind::kPeakEwma, kAliveCheck>(peak_ewma);
}

// 512 connections take more descriptors than most processes may open at first.
void RaiseDescriptorLimit() {
  rlimit limit = {};
  OrDie("getrlimit", getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = limit.rlim_max;
  OrDie("setrlimit", setrlimit(RLIMIT_NOFILE, &limit));
}

}  // namespace
}  // namespace predial

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  predial::RaiseDescriptorLimit();
  predial::RegisterAll<true>("round_robin", "two_choices", "least_loaded", "peak_ewma");
  predial::RegisterAll<false>("round_robin/unchecked", "two_choices/unchecked",
                              "least_loaded/unchecked", "peak_ewma/unchecked");
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
