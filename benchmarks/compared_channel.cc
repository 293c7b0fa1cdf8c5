#include "benchmarks/compared_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <typeinfo>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "benchmarks/connect_socket.h"
#include "benchmarks/connected_pool.h"
#include "benchmarks/naive_pool.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/unique_fd.h"
#include "plugin/metrics/prometheus_observer.h"
#include "plugin/options.h"
#include "plugin/pooled_channel.h"

namespace predial {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using Factories = std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>>;

constexpr absl::Duration kConnectTimeout = absl::Seconds(30);
constexpr int kNaiveConnections = 4;

class NothingInterceptor : public grpc::experimental::Interceptor {
 public:
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    methods->Proceed();
  }
};

class NothingFactory : public ClientInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* /*info*/) override {
    return new NothingInterceptor;
  }
};

Factories MakeFactories(bool interceptor) {
  Factories factories;
  if (interceptor) factories.push_back(std::make_unique<NothingFactory>());
  return factories;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreatePlain(
    const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    bool interceptor) {
  std::shared_ptr<grpc::ChannelInterface> channel;
  if (interceptor) {
    channel = grpc::experimental::CreateCustomChannelWithInterceptors(
        address, credentials, grpc::ChannelArguments(), MakeFactories(true));
  } else {
    channel = grpc::CreateChannel(address, credentials);
  }
  if (!channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kConnectTimeout))) {
    return absl::DeadlineExceededError(absl::StrCat("no connection to ", address));
  }
  return channel;
}

bool IsInsecure(const grpc::ChannelCredentials& credentials) {
  const auto insecure = grpc::InsecureChannelCredentials();
  const grpc::ChannelCredentials& other = *insecure;
  return typeid(credentials) == typeid(other);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreateRaw(const std::string& address,
                                                                  bool interceptor) {
  absl::StatusOr<UniqueFd> fd = ConnectSocket(address, kConnectTimeout);
  if (!fd.ok()) return fd.status();
  return CreateMemberChannel(*std::move(fd), grpc::ChannelArguments(), MakeFactories(interceptor));
}

absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreateNaive(const std::string& address) {
  return CreateNaivePool(absl::StrSplit(absl::StripPrefix(address, "ipv4:"), ','),
                         kNaiveConnections);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreatePooled(
    const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    bool metrics) {
  PoolOptions options;
  if (metrics) options.observer = PrometheusObserver::Create();
  auto pool = PooledChannel::TryCreate(address, credentials, {}, options);
  if (!pool.ok()) return pool.status();
  const absl::Status status = AwaitMembers(**pool, options.connections_min, kConnectTimeout);
  if (!status.ok()) return status;
  return *std::move(pool);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreateComparedChannel(
    absl::string_view kind, const std::string& address,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  if (kind == "plain") return CreatePlain(address, credentials, false);
  if (kind == "plain_interceptor") return CreatePlain(address, credentials, true);
  if (kind == "pooled") return CreatePooled(address, credentials, false);
  if (kind == "pooled_metrics") return CreatePooled(address, credentials, true);
  if (!IsInsecure(*credentials) && (kind == "naive" || absl::StartsWith(kind, "raw_fd"))) {
    return absl::InvalidArgumentError(absl::StrCat(kind, " is plaintext only"));
  }
  if (kind == "raw_fd") return CreateRaw(address, false);
  if (kind == "raw_fd_interceptor") return CreateRaw(address, true);
  if (kind == "naive") return CreateNaive(address);
  return absl::InvalidArgumentError(
      absl::StrCat("'", kind, "' is no kind of channel; it must be ", kComparedKinds));
}

}  // namespace predial
