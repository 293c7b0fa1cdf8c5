#include "plugin/pooled_channel.h"

#include <grpc/support/log.h>
#include <sys/resource.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/call_tracker.h"
#include "plugin/channel_access.h"
#include "plugin/channel_pool.h"
#include "plugin/connectivity.h"
#include "plugin/io/exit_guard.h"
#include "plugin/io/fork_guard.h"
#include "plugin/io/per_process.h"
#include "plugin/io/socket_adoption.h"
#include "plugin/io/target.h"
#include "plugin/lame_channel.h"
#include "plugin/member_table.h"
#include "plugin/mode.h"
#include "plugin/overflow.h"
#include "plugin/spillover.h"

namespace predial {
namespace {

// What the target is made into, and the members' mode.
absl::Status ChooseMembers(const std::string& target, const PoolOptions& options,
                           ChannelPool::Config& config) {
  if (config.credentials == nullptr) {
    return absl::InvalidArgumentError(
        "the credentials are null; pass grpc::InsecureChannelCredentials()");
  }
  absl::StatusOr<MemberMode> mode =
      ChooseMode(options.mode, target, *config.credentials, config.args);
  if (!mode.ok()) return mode.status();
  config.mode = *std::move(mode);
  absl::StatusOr<Target> parsed =
      config.mode.whole_target ? WholeTarget(target) : ParseTarget(target);
  if (!parsed.ok()) return parsed.status();
  config.target = *std::move(parsed);
  return absl::OkStatus();
}

absl::Status CheckProcess() {
  if (!ForkedWhileGrpcWasInUse()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "this process was forked from one in which gRPC was in use, and gRPC cannot be used in such "
      "a child: fork before the first channel is made, or after the last is gone, or call exec()");
}

// Of the parent's channels in a forked child.
struct ForkedConnectivity : Connectivity {
  ForkedConnectivity() : Connectivity(GRPC_CHANNEL_SHUTDOWN) {}
};
PerProcess<ForkedConnectivity> forked_connectivity;

// Descriptors that this pool may use: a connection and the watch on it, and the spares.
std::vector<std::string> CheckDescriptorLimit(const std::string& target,
                                              const PoolOptions& options) {
  constexpr int kPerConnection = 2;
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return {};
  const uint64_t needed = kPerConnection * options.connections_max + options.spares;
  if (needed <= limit.rlim_cur) return {};
  std::string warning = absl::StrCat(
      "predial: ", target, ": connections_max ", options.connections_max, " needs up to ", needed,
      " descriptors, but this process may open ", limit.rlim_cur,
      " (RLIMIT_NOFILE); raise it with ulimit -n, or lower connections_max");
  gpr_log(GPR_ERROR, "%s", warning.c_str());
  return {std::move(warning)};
}

// Whether gRPC can be given sockets for channels with these arguments.
absl::Status CheckAdoption(const grpc::ChannelArguments& args) {
  absl::Status status = SocketAdoption::Available();
  if (!status.ok()) return status;
  grpc::ChannelArguments copy = args;
  if (SocketAdoption(std::make_shared<AdoptionCounters>()).AddTo(copy)) return absl::OkStatus();
  return absl::FailedPreconditionError("the channel arguments have a socket mutator of their own");
}

Lease Choose(const grpc::ClientContext& context, ChannelPool& pool,
             MemberTable::WhenFull when_full = MemberTable::WhenFull::kShare) {
  const std::string& affinity = pool.options().affinity_metadata;
  if (affinity.empty()) return pool.table().Acquire(when_full);
  const std::string* const key = ChannelAccess::RequestMetadata(context, affinity);
  return key == nullptr ? pool.table().Acquire(when_full)
                        : pool.table().AcquireFor(*key, when_full);
}

// With OverflowPolicy::kShare.
Lease ChooseOrSpill(const grpc::internal::RpcMethod& method, const grpc::ClientContext& context,
                    ChannelPool& pool) {
  using WhenFull = MemberTable::WhenFull;
  // A stream may never end, so that no other should have to wait for it.
  const bool streams = method.method_type() != grpc::internal::RpcMethod::NORMAL_RPC;
  Lease lease = Choose(context, pool, streams ? WhenFull::kNone : WhenFull::kShare);
  if (!lease) lease = pool.spillover().Acquire();
  if (!lease && streams) lease = Choose(context, pool);
  return lease ? std::move(lease) : pool.table().AcquireFallback();
}

}  // namespace

absl::StatusOr<std::shared_ptr<PooledChannel>> PooledChannel::TryCreate(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const grpc::ChannelArguments& args, const PoolOptions& options, Interceptors interceptors) {
  ChannelPool::Config config;
  config.credentials = credentials;
  config.args = args;
  absl::Status status = CheckProcess();
  if (status.ok()) status = options.Validate();
  if (status.ok()) status = ChooseMembers(target, options, config);
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat("PooledChannel to \"", target, "\": ", status.message()));
  }
  gpr_log(GPR_INFO, "predial: %s: mode %s: %s", target.c_str(), config.mode.name(),
          config.mode.reason.c_str());
  config.options = options;
  config.interceptors = std::make_shared<const InterceptorFactories>(std::move(interceptors));
  config.warnings = CheckDescriptorLimit(target, options);
  if (config.mode.secure) ArmExitGuard();
  if (config.mode.whole_target) {
    config.adoption = absl::FailedPreconditionError("gRPC resolves and balances the target");
  } else if (config.mode.managed) {
    config.adoption = CheckAdoption(args);
    if (!config.adoption.ok()) {
      config.warnings.push_back(AdoptionWarning(target, config.adoption.message()));
    }
  }
  return std::shared_ptr<PooledChannel>(new PooledChannel(ChannelPool::Create(std::move(config))));
}

std::shared_ptr<PooledChannel> PooledChannel::Create(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const grpc::ChannelArguments& args, Interceptors interceptors, const PoolOptions& options) {
  auto channel = TryCreate(target, credentials, args, options, std::move(interceptors));
  if (channel.ok()) return *std::move(channel);
  const std::string message(channel.status().message());
  gpr_log(GPR_ERROR, "predial: %s", message.c_str());
  return std::shared_ptr<PooledChannel>(new PooledChannel(target, channel.status()));
}

std::shared_ptr<PooledChannel> PooledChannel::Create(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const grpc::ChannelArguments& args, const PoolOptions& options) {
  return Create(target, credentials, args, Interceptors(), options);
}

std::shared_ptr<PooledChannel> PooledChannel::Create(
    const std::string& target, const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    const PoolOptions& options) {
  return Create(target, credentials, grpc::ChannelArguments(), options);
}

PooledChannel::PooledChannel(std::shared_ptr<ChannelPool> pool) : pool_(std::move(pool)) {}

PooledChannel::PooledChannel(const std::string& target, const absl::Status& error)
    : lame_(CreateLameChannel(target, grpc::Status(absl::IsFailedPrecondition(error)
                                                       ? grpc::StatusCode::FAILED_PRECONDITION
                                                       : grpc::StatusCode::INVALID_ARGUMENT,
                                                   std::string(error.message())))),
      lame_connectivity_(std::make_unique<Connectivity>(GRPC_CHANNEL_SHUTDOWN)) {}

PooledChannel::~PooledChannel() {
  if (pool_ != nullptr) pool_->Abandon();
}

PoolStats PooledChannel::Stats() const { return pool_ == nullptr ? PoolStats() : pool_->Stats(); }

bool PooledChannel::Shutdown(absl::Time deadline) {
  return pool_ == nullptr || pool_->Shutdown(deadline);
}

void PooledChannel::ReplaceConnections() {
  if (pool_ != nullptr) pool_->ReplaceConnections();
}

void PooledChannel::Suspend() {
  if (pool_ != nullptr) pool_->Suspend();
}

void PooledChannel::Resume() {
  if (pool_ != nullptr) pool_->Resume();
}

Connectivity& PooledChannel::connectivity() {
  if (pool_ == nullptr) return *lame_connectivity_;
  return pool_->IsForked() ? forked_connectivity.Get() : pool_->connectivity();
}

grpc_connectivity_state PooledChannel::GetState(bool /*try_to_connect*/) {
  return connectivity().Get();
}

void PooledChannel::NotifyOnStateChangeImpl(grpc_connectivity_state last_observed,
                                            gpr_timespec deadline, grpc::CompletionQueue* queue,
                                            void* tag) {
  connectivity().Notify(last_observed, deadline, queue, tag);
}

bool PooledChannel::WaitForStateChangeImpl(grpc_connectivity_state last_observed,
                                           gpr_timespec deadline) {
  return connectivity().Wait(last_observed, deadline);
}

grpc::internal::Call PooledChannel::CreateCall(const grpc::internal::RpcMethod& method,
                                               grpc::ClientContext* context,
                                               grpc::CompletionQueue* queue) {
  if (pool_ == nullptr) return ChannelAccess::CreateCall(lame_.get(), method, context, queue);
  if (pool_->IsForked()) {
    return ChannelAccess::CreateCall(pool_->callback_owner(), method, context, queue);
  }
  PoolEvents* const events = pool_->events();
  const Time asked = events == nullptr ? Time() : Clock::now();
  // A member over a descriptor would drop per-call credentials and send the RPC; an ordinary
  // channel refuses to, over plaintext.
  Overflow* const overflow = pool_->overflow();
  Lease lease;
  if (context->credentials() != nullptr && !pool_->managed()) {
    lease = pool_->table().AcquireFallback();
  } else if (overflow == nullptr) {
    lease = ChooseOrSpill(method, *context, *pool_);
  } else {
    Overflow::Checkout checkout =
        overflow->Acquire(context, queue, [&] { return Choose(*context, *pool_); });
    if (checkout.refusal != nullptr) {
      const StartingRpc rpc(Lease(), events == nullptr ? Time() : Clock::now());
      return ChannelAccess::CreateCall(checkout.refusal.get(), method, context, queue);
    }
    lease = std::move(checkout.lease);
  }
  const Time began = events == nullptr ? Time() : Clock::now();
  if (events != nullptr) events->OnCheckout(began - asked);
  const StartingRpc rpc(std::move(lease), began);
  // The context shares the channel from here on, and its interceptor has the lease.
  const grpc::internal::Call call =
      ChannelAccess::CreateCall(rpc.slot().channel().get(), method, context, queue);
  if (rpc.hook() == nullptr) return call;
  return grpc::internal::Call(call.call(), rpc.hook(), call.cq(), call.client_rpc_info());
}

void PooledChannel::PerformOpsOnCall(grpc::internal::CallOpSetInterface* /*ops*/,
                                     grpc::internal::Call* /*call*/) {
  // Calls belong to the member's channel, and come back to that.
  gpr_log(GPR_ERROR, "predial: PerformOpsOnCall was called on a PooledChannel");
  std::abort();
}

void* PooledChannel::RegisterMethod(const char* /*method*/) {
  return nullptr;  // registrations are per channel, and members change
}

grpc::CompletionQueue* PooledChannel::CallbackCQ() {
  return ChannelAccess::CallbackCQ(pool_ == nullptr ? lame_.get() : pool_->callback_owner());
}

}  // namespace predial
