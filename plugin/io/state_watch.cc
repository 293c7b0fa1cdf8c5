#include "plugin/io/state_watch.h"

#include <utility>

#include "plugin/io/look_spacing.h"

namespace predial {

StateWatch::StateWatch(EventLoop& loop, std::shared_ptr<grpc::Channel> channel,
                       absl::AnyInvocable<void()> left)
    : loop_(loop), channel_(std::move(channel)), left_(std::move(left)), began_(loop.Now()) {
  LookLater();
}

StateWatch::~StateWatch() { loop_.Cancel(look_); }

void StateWatch::LookLater() {
  const Time now = loop_.Now();
  look_ = loop_.RunAt(NextLook(now, now - began_), [this] { Look(); });
}

void StateWatch::Look() {
  look_ = EventLoop::TimerId::kNone;
  if (channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY) return LookLater();
  auto left = std::move(left_);
  left();  // may destroy this
}

}  // namespace predial
