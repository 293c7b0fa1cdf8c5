#include "benchmarks/compare/contender.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <atomic>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "benchmarks/compared_channel.h"
#include "benchmarks/connected_pool.h"
#include "plugin/metrics/prometheus_observer.h"
#include "plugin/options.h"
#include "plugin/pooled_channel.h"

namespace predial {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(30);
constexpr int kSeveral = 8;

Contender Always(std::shared_ptr<grpc::ChannelInterface> channel) {
  return [channel = std::move(channel)] { return channel; };
}

absl::StatusOr<Contender> OrError(absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> channel) {
  if (!channel.ok()) return channel.status();
  return Always(*std::move(channel));
}

// No two have a connection in common.
std::shared_ptr<grpc::Channel> CreateUnshared(
    const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, credentials, args);
}

absl::StatusOr<Contender> CreatePlain(const std::string& address, const ContenderOptions& options) {
  if (options.connected) {
    return OrError(CreateComparedChannel("plain", address, options.credentials));
  }
  return Always(grpc::CreateChannel(address, options.credentials));
}

absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreateUnsharedAndConnected(
    const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  auto channel = CreateUnshared(address, credentials);
  if (!channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kConnectTimeout))) {
    return absl::DeadlineExceededError(absl::StrCat("no connection to ", address));
  }
  return channel;
}

// `create` makes one of them.
template <typename Create>
absl::StatusOr<Contender> CreateSeveral(int count, Create create) {
  std::vector<std::shared_ptr<grpc::ChannelInterface>> channels;
  for (int i = 0; i < count; ++i) {
    absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> channel = create();
    if (!channel.ok()) return channel.status();
    channels.push_back(*std::move(channel));
  }
  return [channels, next = std::make_shared<std::atomic<size_t>>(0)] {
    return channels[next->fetch_add(1, std::memory_order_relaxed) % channels.size()];
  };
}

absl::StatusOr<Contender> CreatePool(const std::string& address, PoolOptions options,
                                     const ContenderOptions& asked) {
  options.observer = PrometheusObserver::Create();
  if (asked.connections_min != 0) options.connections_min = asked.connections_min;
  if (asked.connections_max != 0) options.connections_max = asked.connections_max;
  auto pool = PooledChannel::TryCreate(address, asked.credentials, {}, options);
  if (!pool.ok()) return pool.status();
  if (asked.connected) {
    const absl::Status status = AwaitMembers(**pool, options.connections_min, kConnectTimeout);
    if (!status.ok()) return status;
  }
  return Always(*std::move(pool));
}

}  // namespace

absl::StatusOr<Contender> CreateContender(absl::string_view kind, const std::string& address,
                                          const ContenderOptions& options) {
  const int several = options.connections_min == 0 ? kSeveral : options.connections_min;
  const auto& credentials = options.credentials;
  if (kind == "per_call") {
    return [address, credentials] { return CreateUnshared(address, credentials); };
  }
  if (kind == "plain") return CreatePlain(address, options);
  if (kind == "naive") return OrError(CreateComparedChannel("naive", address, credentials));
  if (kind == "raw_fd") return OrError(CreateComparedChannel("raw_fd", address, credentials));
  if (kind == "plain_each") {
    return CreateSeveral(several, [&] { return CreateUnsharedAndConnected(address, credentials); });
  }
  if (kind == "raw_fds") {
    return CreateSeveral(several,
                         [&] { return CreateComparedChannel("raw_fd", address, credentials); });
  }
  PoolOptions pool;
  if (kind == "pooled") return CreatePool(address, pool, options);
  if (kind == "pooled_adaptive") {
    pool.sizing = SizingKind::kAdaptive;
    return CreatePool(address, pool, options);
  }
  if (kind == "pooled_least_loaded") {
    pool.picker = PickerKind::kLeastLoaded;
    return CreatePool(address, pool, options);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", kind, "' is no contender; it must be ", kContenderKinds));
}

}  // namespace predial
