#include "plugin/io/anchor.h"

#include <grpcpp/channel.h>

#include <utility>

namespace predial {

Anchor::Anchor(EventLoop& loop, GrpcPoller& poller, std::shared_ptr<grpc::Channel> channel,
               std::string service, BackoffPolicy backoff, HealthReport report)
    : loop_(loop),
      poller_(poller),
      channel_(std::move(channel)),
      service_(std::move(service)),
      backoff_(backoff),
      report_(std::make_shared<HealthReport>(std::move(report))) {
  Watch();
}

Anchor::~Anchor() { loop_.Cancel(retry_); }

void Anchor::Wake() {
  grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
  if (retry_ == EventLoop::TimerId::kNone) return;
  loop_.Cancel(std::exchange(retry_, EventLoop::TimerId::kNone));
  Watch();
}

void Anchor::Renew() {
  if (watch_ != nullptr) Watch();
}

void Anchor::Watch() {
  watch_ = HealthWatch::Start(loop_, poller_, channel_, service_,
                              [this](HealthResult result, bool ended) { OnReport(result, ended); });
}

void Anchor::OnReport(HealthResult result, bool ended) {
  if (result != HealthResult::kNoAnswer) failures_ = 0;
  if (ended) {
    watch_.reset();
    const Duration wait = result == HealthResult::kUnimplemented
                              ? kRewatch
                              : BackoffDelay(backoff_, ++failures_, /*random=*/0.5);
    retry_ = loop_.RunAt(loop_.Now() + wait, [this] {
      retry_ = EventLoop::TimerId::kNone;
      Watch();
    });
  }
  const auto report = report_;  // it may destroy this
  (*report)(result);
}

}  // namespace predial
