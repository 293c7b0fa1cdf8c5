#include "plugin/connectivity.h"

#include <grpc/support/time.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/time.h>

#include <utility>

namespace predial {
namespace {

// Idle until it is told to connect, which fails at once and reaches no network.
std::shared_ptr<grpc::Channel> MakeSignal() {
  grpc::ChannelArguments args;
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("unix:/dev/null/predial", grpc::InsecureChannelCredentials(),
                                   args);
}

}  // namespace

grpc_connectivity_state Connectivity::Get() const {
  MutexLock lock(mutex_);
  return state_;
}

void Connectivity::Set(grpc_connectivity_state state) {
  std::shared_ptr<grpc::Channel> signal;
  {
    MutexLock lock(mutex_);
    if (state == state_) return;
    state_ = state;
    signal = std::move(signal_);
    signal_ = nullptr;
  }
  changed_.notify_all();
  if (signal != nullptr) signal->GetState(/*try_to_connect=*/true);
}

bool Connectivity::Wait(grpc_connectivity_state last, gpr_timespec deadline) {
  const bool forever = gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0;
  const auto until = grpc::Timespec2Timepoint(deadline);
  std::unique_lock<Mutex> lock(mutex_);
  const auto is_other = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return state_ != last; };
  if (forever) {
    changed_.wait(lock, is_other);
    return true;
  }
  return changed_.wait_until(lock, until, is_other);
}

void Connectivity::Notify(grpc_connectivity_state last, gpr_timespec deadline,
                          grpc::CompletionQueue* queue, void* tag) {
  std::shared_ptr<grpc::Channel> signal;
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (state_ != last) break;
      if (signal_ == nullptr) signal_ = std::move(signal);
      signal = signal_;
    }
    if (signal != nullptr) {
      // If the state changes right now, the signal is already on its way out of idle.
      signal->NotifyOnStateChange(GRPC_CHANNEL_IDLE, deadline, queue, tag);
      return;
    }
    signal = MakeSignal();  // not under the lock
  }
  // It is another one already: a channel that is idle is at once other than ready.
  if (signal == nullptr) signal = MakeSignal();
  signal->NotifyOnStateChange(GRPC_CHANNEL_READY, deadline, queue, tag);
}

}  // namespace predial
