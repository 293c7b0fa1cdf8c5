// Holds --channels idle connections, in one pool or as ordinary channels, and prints what the
// process takes. What benchmarks/memory.sh compares.
//
//   kind=pooled connections=8 private_dirty_kib=7012 heap_kib=1893 threads=9 fds=31
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <malloc.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "benchmarks/compare/process_usage.h"
#include "benchmarks/connected_pool.h"
#include "plugin/options.h"
#include "plugin/pooled_channel.h"
#include "proto/echo.grpc.pb.h"

ABSL_FLAG(std::string, address, "", "where an echo server listens, e.g. 127.0.0.1:50051");
ABSL_FLAG(std::string, kind, "pooled",
          "pooled (one PooledChannel), or plain (grpc::CreateChannel, each with a subchannel pool "
          "of its own)");
ABSL_FLAG(int, channels, 8, "connections");
ABSL_FLAG(int, rpcs, 64, "RPCs before it is idle, all connections in turn");

namespace predial {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(30);

using Channels = std::vector<std::shared_ptr<grpc::ChannelInterface>>;

absl::StatusOr<Channels> CreatePlain(const std::string& address, int count) {
  Channels channels;
  for (int i = 0; i < count; ++i) {
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // or they would share one connection
    channels.push_back(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), args));
    const absl::Time deadline = absl::Now() + kConnectTimeout;
    if (!channels.back()->WaitForConnected(absl::ToChronoTime(deadline))) {
      return absl::DeadlineExceededError(absl::StrCat("no connection to ", address));
    }
  }
  return channels;
}

absl::StatusOr<Channels> CreatePooled(const std::string& address, int count) {
  PoolOptions options;
  options.connections_min = count;
  options.connections_max = count;
  auto pool = PooledChannel::TryCreate(address, grpc::InsecureChannelCredentials(), {}, options);
  if (!pool.ok()) return pool.status();
  const absl::Status status = AwaitMembers(**pool, count, kConnectTimeout);
  if (!status.ok()) return status;
  return Channels{*std::move(pool)};
}

absl::Status SendRpcs(const Channels& channels, int rpcs) {
  for (int i = 0; i < rpcs; ++i) {
    const auto stub = echo::v1::Echo::NewStub(channels[i % channels.size()]);
    grpc::ClientContext context;
    echo::v1::EchoRequest request;
    echo::v1::EchoResponse response;
    request.set_message("hello world");
    const grpc::Status status = stub->Unary(&context, request, &response);
    if (!status.ok()) {
      return absl::InternalError(
          absl::StrCat("RPC ", i, ": code ", status.error_code(), ": ", status.error_message()));
    }
  }
  return absl::OkStatus();
}

absl::Status Run() {
  const std::string kind = absl::GetFlag(FLAGS_kind);
  const int count = absl::GetFlag(FLAGS_channels);
  if (kind != "pooled" && kind != "plain") {
    return absl::InvalidArgumentError(
        absl::StrCat("--kind is '", kind, "'; it must be pooled or plain"));
  }
  if (count < 1 || count > 1024) {
    return absl::InvalidArgumentError(
        absl::StrCat("--channels is ", count, "; it must be within [1, 1024]"));
  }
  const std::string address = absl::GetFlag(FLAGS_address);
  const absl::StatusOr<Channels> channels =
      kind == "pooled" ? CreatePooled(address, count) : CreatePlain(address, count);
  if (!channels.ok()) return channels.status();
  const absl::Status sent = SendRpcs(*channels, absl::GetFlag(FLAGS_rpcs));
  if (!sent.ok()) return sent;
  // What an RPC leaves to be done, and a pool's spares, which it dials at its next tick.
  absl::SleepFor(absl::Seconds(2));

  const absl::StatusOr<ProcessUsage> usage = ReadProcessUsage();
  if (!usage.ok()) return usage.status();
  const struct mallinfo2 heap = mallinfo2();
  const std::filesystem::directory_iterator fds("/proc/self/fd");
  printf("kind=%s connections=%d private_dirty_kib=%lld heap_kib=%zu threads=%d fds=%d\n",
         kind.c_str(), count, static_cast<long long>(usage->private_dirty_kib),
         (heap.uordblks + heap.hblkhd) / 1024, usage->threads,
         static_cast<int>(std::distance(begin(fds), end(fds))) - 1);
  return absl::OkStatus();
}

}  // namespace
}  // namespace predial

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("holds idle connections and prints what the process takes");
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    fprintf(stderr, "memory: unexpected argument: %s; --help lists the flags\n", rest[1]);
    return 1;
  }
  const absl::Status status = predial::Run();
  if (!status.ok()) {
    fprintf(stderr, "memory: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
