// What its user asks of the pool as a whole: other connections, none for a while, the end.
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/channel_pool.h"
#include "plugin/lame_channel.h"

namespace predial {

void ChannelPool::Abandon() {
  if (IsForked()) {
    self_ = shared_from_this();  // for ever: its threads and connections are the parent's
    return;
  }
  loop_.Post([self = shared_from_this()] {
    self->self_ = self;
    self->BeginShutdown();
  });
}

bool ChannelPool::Shutdown(absl::Time deadline) {
  if (IsForked()) return true;
  RunInLoop([this] { BeginShutdown(); });
  // An observer's callback must not wait for the thread that it is on.
  if (loop_.InLoop()) return HasEnded();
  {
    std::unique_lock<Mutex> lock(mutex_);
    const auto ended = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return ended_; };
    if (deadline == absl::InfiniteFuture()) {
      ended_changed_.wait(lock, ended);
      return true;
    }
    if (ended_changed_.wait_until(lock, absl::ToChronoTime(deadline), ended)) return true;
  }
  RunInLoop([this] { ForceClose(); });
  return false;
}

void ChannelPool::ReplaceConnections() {
  loop_.Post([self = shared_from_this()] {
    if (self->shutting_down_) return;
    self->Carry(self->core_.OnReplaceAll(self->loop_.Now()));
  });
}

void ChannelPool::Suspend() {
  loop_.Post([self = shared_from_this()] {
    if (self->shutting_down_ || std::exchange(self->suspended_, true)) return;
    self->table().SetFallback(self->SuspendedSlot());
    self->RetireAnchor();
    for (auto& [id, endpoint] : self->endpoints_) {
      endpoint.scout.reset();
      endpoint.anchor.reset();
    }
    self->Carry(self->core_.OnSuspended(self->loop_.Now()));
  });
}

void ChannelPool::Resume() {
  loop_.Post([self = shared_from_this()] {
    if (self->shutting_down_ || !std::exchange(self->suspended_, false)) return;
    self->RenewAnchor();
    for (const auto& [id, endpoint] : self->core_.endpoints()) {
      if (endpoint.listed) self->StartAnchor(id);
    }
    self->Carry(self->core_.OnResumed(self->loop_.Now()));
  });
}

Slot* ChannelPool::SuspendedSlot() {
  if (suspended_slot_ == nullptr) {
    const std::string& target = config_.target.text;
    suspended_slot_ = table().Open(
        MemberId{},
        CreateLameChannel(target, grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                               absl::StrCat("PooledChannel to ", target,
                                                            " is suspended: see Resume()"))),
        0);
  }
  return suspended_slot_;
}

void ChannelPool::BeginShutdown() {
  if (!shutting_down_) {
    shutting_down_ = true;
    resolver_.reset();
    loop_.Cancel(attention_);
    // From here on RPCs fail, without reaching a server.
    table().SetFallback(table().Open(
        MemberId{},
        CreateLameChannel(
            config_.target.text,
            grpc::Status(grpc::StatusCode::UNAVAILABLE,
                         absl::StrCat("PooledChannel to ", config_.target.text, " was shut down"))),
        0));
    Carry(core_.OnShutdown(loop_.Now()));
    RetireAnchor();
  }
  FinishIfEnded();
}

bool ChannelPool::HasEnded() const {
  return shutting_down_ && anchor_slot_ == nullptr && members_.empty() && lingering_.empty() &&
         old_anchors_.empty();
}

void ChannelPool::FinishIfEnded() {
  if (!HasEnded()) return;
  {
    MutexLock lock(mutex_);
    if (!ended_) {
      ended_ = true;
      ended_changed_.notify_all();
    } else if (self_ == nullptr) {
      return;
    }
  }
  loop_.Cancel(tick_);
  loop_.Cancel(wake_lingering_);
  if (!closed_reported_) {
    closed_reported_ = true;
    if (events() != nullptr) events()->OnPoolClosed(MakeStats());
  }
  self_.reset();  // the caller holds the pool for as long as it runs
}

void ChannelPool::ForceClose() {
  for (auto& [id, member] : members_) {
    if (member.watch != nullptr) member.watch->ForceClose();
  }
}

}  // namespace predial
