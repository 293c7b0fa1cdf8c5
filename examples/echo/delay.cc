#include "examples/echo/delay.h"

#include <utility>

#include "grpc/support/time.h"

namespace predial {

void Delay::Start(absl::Duration delay, Callback callback) {
  const bool forbidden = cancelled();
  if (forbidden || delay <= absl::ZeroDuration()) {
    callback(!forbidden);
    return;
  }
  callback_ = std::move(callback);
  halves_.store(2, std::memory_order_release);
  const gpr_timespec when =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_nanos(absl::ToInt64Nanoseconds(delay), GPR_TIMESPAN));
  const auto alarm = std::make_shared<grpc::Alarm>();
  alarm->Set(when, [this](bool) { HalfDone(); });
  std::shared_ptr<grpc::Alarm> last = alarm;
  bool cancelled;
  {
    MutexLock lock(mu_);
    alarm_.swap(last);
    cancelled = cancelled_;
  }
  if (cancelled) alarm->Cancel();
  HalfDone();
}

void Delay::Cancel() {
  std::shared_ptr<grpc::Alarm> alarm;
  {
    MutexLock lock(mu_);
    cancelled_ = true;
    alarm = alarm_;
  }
  if (alarm != nullptr) alarm->Cancel();
}

void Delay::HalfDone() {
  if (halves_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const Callback callback = std::move(callback_);
  callback(!cancelled());
}

bool Delay::cancelled() const {
  MutexLock lock(mu_);
  return cancelled_;
}

}  // namespace predial
