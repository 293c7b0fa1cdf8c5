#include "plugin/io/scout.h"

#include <algorithm>
#include <utility>

namespace predial {

Scout::Scout(EventLoop& loop, std::shared_ptr<grpc::Channel> channel, Reports reports)
    : loop_(loop),
      channel_(std::move(channel)),
      reports_(std::make_shared<Reports>(std::move(reports))) {
  look_ = loop_.RunAt(loop_.Now() + kLookMin, [this] { Look(); });
}

Scout::~Scout() { loop_.Cancel(look_); }

void Scout::Look() {
  const Time now = loop_.Now();
  const bool up = channel_->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY;
  const std::optional<Time> was_up_since = up_since_;
  Time next;
  if (up) {
    if (!was_up_since) up_since_ = now;
    last_seen_ = now;
    wait_ = kLookMin;
    next = NextLook(now, now - *up_since_);
  } else {
    up_since_.reset();
    next = now + std::exchange(wait_, std::min(2 * wait_, kLookMax));
  }
  look_ = loop_.RunAt(next, [this] { Look(); });
  const auto reports = reports_;  // it may destroy this
  if (up && !was_up_since) reports->up();
  if (!up && was_up_since) reports->down(last_seen_ - *was_up_since);
}

}  // namespace predial
