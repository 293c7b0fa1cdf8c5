#include "benchmarks/compared_channel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "benchmarks/connected_pool.h"
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

absl::StatusOr<UniqueFd> ConnectSocket(const std::string& address) {
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      port > 65535 || inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", address, "' is no address for a socket: give 127.0.0.1:PORT"));
  }
  to.sin_port = htons(static_cast<uint16_t>(port));
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0 ||
      // As every other channel here has it.
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
      fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("connecting to ", address));
  }
  return fd;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreatePlain(const std::string& address,
                                                                    bool interceptor) {
  std::shared_ptr<grpc::ChannelInterface> channel;
  if (interceptor) {
    channel = grpc::experimental::CreateCustomChannelWithInterceptors(
        address, grpc::InsecureChannelCredentials(), grpc::ChannelArguments(), MakeFactories(true));
  } else {
    channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  }
  if (!channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kConnectTimeout))) {
    return absl::DeadlineExceededError(absl::StrCat("no connection to ", address));
  }
  return channel;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreateRaw(const std::string& address,
                                                                  bool interceptor) {
  absl::StatusOr<UniqueFd> fd = ConnectSocket(address);
  if (!fd.ok()) return fd.status();
  return CreateMemberChannel(*std::move(fd), grpc::ChannelArguments(), MakeFactories(interceptor));
}

absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreatePooled(const std::string& address,
                                                                     bool metrics) {
  PoolOptions options;
  if (metrics) options.observer = PrometheusObserver::Create();
  auto pool = PooledChannel::TryCreate(address, grpc::InsecureChannelCredentials(), {}, options);
  if (!pool.ok()) return pool.status();
  const absl::Status status = AwaitMembers(**pool, options.connections_min, kConnectTimeout);
  if (!status.ok()) return status;
  return *std::move(pool);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreateComparedChannel(
    absl::string_view kind, const std::string& address) {
  if (kind == "plain") return CreatePlain(address, false);
  if (kind == "plain_interceptor") return CreatePlain(address, true);
  if (kind == "raw_fd") return CreateRaw(address, false);
  if (kind == "raw_fd_interceptor") return CreateRaw(address, true);
  if (kind == "pooled") return CreatePooled(address, false);
  if (kind == "pooled_metrics") return CreatePooled(address, true);
  return absl::InvalidArgumentError(
      absl::StrCat("'", kind, "' is no kind of channel; it must be ", kComparedKinds));
}

}  // namespace predial
