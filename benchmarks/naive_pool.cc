#include "benchmarks/naive_pool.h"

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "benchmarks/connect_socket.h"
#include "plugin/channel_access.h"
#include "plugin/io/channel_factory.h"
#include "plugin/io/unique_fd.h"
#include "plugin/mutex.h"

namespace predial {
namespace {

namespace experimental = grpc::experimental;

constexpr absl::Duration kConnectTimeout = absl::Seconds(1);

using Broken = std::shared_ptr<std::atomic<bool>>;

// Notes that an RPC failed.
class FailureInterceptor : public experimental::Interceptor {
 public:
  explicit FailureInterceptor(Broken broken) : broken_(std::move(broken)) {}

  void Intercept(experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            experimental::InterceptionHookPoints::POST_RECV_STATUS) &&
        methods->GetRecvStatus()->error_code() == grpc::StatusCode::UNAVAILABLE) {
      broken_->store(true);
    }
    methods->Proceed();
  }

 private:
  const Broken broken_;
};

class FailureFactory : public experimental::ClientInterceptorFactoryInterface {
 public:
  explicit FailureFactory(Broken broken) : broken_(std::move(broken)) {}
  experimental::Interceptor* CreateClientInterceptor(experimental::ClientRpcInfo*) override {
    return new FailureInterceptor(broken_);
  }

 private:
  const Broken broken_;
};

struct Connection {
  std::shared_ptr<grpc::Channel> channel;
  Broken broken;  // null before the first
};

absl::StatusOr<Connection> Connect(const std::string& address) {
  absl::StatusOr<UniqueFd> fd = ConnectSocket(address, kConnectTimeout);
  if (!fd.ok()) return fd.status();
  Connection connection;
  connection.broken = std::make_shared<std::atomic<bool>>(false);
  std::vector<std::unique_ptr<experimental::ClientInterceptorFactoryInterface>> factories;
  factories.push_back(std::make_unique<FailureFactory>(connection.broken));
  grpc::ChannelArguments args;
  args.SetString(GRPC_ARG_DEFAULT_AUTHORITY, address);
  connection.channel = CreateMemberChannel(*std::move(fd), args, std::move(factories));
  return connection;
}

class NaivePool final : public grpc::ChannelInterface {
 public:
  NaivePool(std::vector<std::string> addresses, std::vector<Connection> connections)
      : slots_(connections.size()), first_(connections.front().channel) {
    for (size_t i = 0; i < slots_.size(); ++i) {
      slots_[i].address = addresses[i % addresses.size()];
      MutexLock lock(slots_[i].mu);
      slots_[i].connection = std::move(connections[i]);
    }
  }

  grpc_connectivity_state GetState(bool /*try_to_connect*/) override { return GRPC_CHANNEL_READY; }

 private:
  struct Slot {
    std::string address;  // const
    Mutex mu;
    bool dialing ABSL_GUARDED_BY(mu) = false;
    Connection connection ABSL_GUARDED_BY(mu);
  };

  grpc::internal::Call CreateCall(const grpc::internal::RpcMethod& method,
                                  grpc::ClientContext* context,
                                  grpc::CompletionQueue* queue) override {
    Slot& slot = slots_[next_.fetch_add(1, std::memory_order_relaxed) % slots_.size()];
    return ChannelAccess::CreateCall(ChannelOf(slot).get(), method, context, queue);
  }

  // The slot's channel, or a new one in its place if it is broken and there can be one.
  static std::shared_ptr<grpc::Channel> ChannelOf(Slot& slot) {
    std::shared_ptr<grpc::Channel> old;
    {
      MutexLock lock(slot.mu);
      old = slot.connection.channel;
      if (!*slot.connection.broken || slot.dialing) return old;
      slot.dialing = true;
    }
    absl::StatusOr<Connection> made = Connect(slot.address);
    MutexLock lock(slot.mu);
    slot.dialing = false;
    if (made.ok()) slot.connection = *std::move(made);
    return slot.connection.channel;
  }

  void PerformOpsOnCall(grpc::internal::CallOpSetInterface*, grpc::internal::Call*) override {
    std::abort();  // calls belong to the channels
  }
  void* RegisterMethod(const char* /*method*/) override { return nullptr; }
  void NotifyOnStateChangeImpl(grpc_connectivity_state, gpr_timespec, grpc::CompletionQueue*,
                               void*) override {
    std::abort();  // see the header
  }
  bool WaitForStateChangeImpl(grpc_connectivity_state, gpr_timespec) override { return false; }
  grpc::CompletionQueue* CallbackCQ() override { return ChannelAccess::CallbackCQ(first_.get()); }

  std::vector<Slot> slots_;
  const std::shared_ptr<grpc::Channel> first_;  // for its callback queue
  std::atomic<uint32_t> next_{0};
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ChannelInterface>> CreateNaivePool(
    const std::vector<std::string>& addresses, int connections) {
  if (addresses.empty() || connections < 1) {
    return absl::InvalidArgumentError("a naive pool needs an address and a connection");
  }
  std::vector<Connection> made;
  for (int i = 0; i < connections; ++i) {
    absl::StatusOr<Connection> connection = Connect(addresses[i % addresses.size()]);
    if (!connection.ok()) return connection.status();
    made.push_back(*std::move(connection));
  }
  return std::make_shared<NaivePool>(addresses, std::move(made));
}

}  // namespace predial
