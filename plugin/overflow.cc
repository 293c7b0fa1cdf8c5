#include "plugin/overflow.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/channel_access.h"
#include "plugin/lame_channel.h"
#include "plugin/sync_call.h"

namespace predial {
namespace {

constexpr int kCancelled = kRejectReasons;  // an index of refusals_

// From now on; `limit` if it has no deadline, or a later one.
Duration UntilDeadline(const grpc::ClientContext& context, Duration limit) {
  using System = std::chrono::system_clock;
  const System::time_point now = System::now();
  const System::time_point deadline = context.deadline();
  if (deadline <= now) return Duration::zero();
  return deadline >= now + limit ? limit : deadline - now;
}

// Far enough for a clock not to overflow.
Duration ToWait(absl::Duration timeout) {
  return absl::ToChronoNanoseconds(std::min(timeout, absl::Hours(24 * 365)));
}

}  // namespace

Overflow::Checkout Overflow::Acquire(grpc::ClientContext* context,
                                     grpc::CompletionQueue* completion_queue,
                                     absl::FunctionRef<Lease()> choose) {
  const bool waits = config_.options.overflow == OverflowPolicy::kWait;
  // Others who wait go first.
  const bool may_wait = waits && IsSyncCall(completion_queue);
  if (!may_wait || config_.table->waiting() == 0) {
    if (Lease lease = choose()) return {std::move(lease), nullptr};
  }
  if (!waits) return Refuse(RejectReason::kFull);
  if (!may_wait || config_.must_not_wait()) return Refuse(RejectReason::kCannotWait);
  return Wait(context);
}

Overflow::Checkout Overflow::Wait(grpc::ClientContext* context) {
  const Duration timeout = ToWait(config_.options.checkout_timeout);
  const Duration left = UntilDeadline(*context, timeout);
  Checkout checkout;
  switch (config_.queue->Wait(
      Clock::now() + left, [context] { return ChannelAccess::IsCancelled(context); },
      &checkout.lease)) {
    case CheckoutQueue::End::kLeased:
      return checkout;
    case CheckoutQueue::End::kQueueFull:
      return Refuse(RejectReason::kWaitersMax);
    case CheckoutQueue::End::kGivenUp:
      return {Lease(),
              ChannelFor(kCancelled,
                         grpc::Status(grpc::StatusCode::CANCELLED,
                                      absl::StrCat("PooledChannel to ", config_.target,
                                                   ": cancelled while it waited for a place on a "
                                                   "connection")))};
    case CheckoutQueue::End::kTimedOut:
      break;
  }
  return Refuse(left < timeout ? RejectReason::kDeadline : RejectReason::kCheckoutTimeout);
}

Overflow::Checkout Overflow::Refuse(RejectReason reason) {
  rejections_[static_cast<int>(reason)].fetch_add(1, std::memory_order_relaxed);
  const PoolOptions& options = config_.options;
  auto code = grpc::StatusCode::RESOURCE_EXHAUSTED;
  std::string what;
  const char* or_else = "";
  switch (reason) {
    case RejectReason::kFull:
      what = "no place for another RPC";
      or_else = ", or let RPCs wait for a place (OverflowPolicy::kWait)";
      break;
    case RejectReason::kCannotWait:
      what =
          "no place for another RPC, and this one cannot wait for it, because it is not "
          "synchronous";
      or_else = ", or make the RPC through the synchronous API, which waits";
      break;
    case RejectReason::kWaitersMax:
      what = absl::StrCat("no place for another RPC, and waiters_max (", options.waiters_max,
                          ") others wait for one");
      or_else = ", or waiters_max";
      break;
    case RejectReason::kCheckoutTimeout:
      what = absl::StrCat("no place for another RPC came free within checkout_timeout (",
                          absl::FormatDuration(options.checkout_timeout), ")");
      or_else = ", or checkout_timeout";
      break;
    case RejectReason::kDeadline:
      code = grpc::StatusCode::DEADLINE_EXCEEDED;
      what = "no place for another RPC came free before this one's deadline";
      break;
  }
  const std::string message =
      absl::StrCat("PooledChannel to ", config_.target, ": ", what, ": ", DescribeLimit(), or_else);
  return {Lease(), ChannelFor(static_cast<int>(reason), grpc::Status(code, message))};
}

std::string Overflow::DescribeLimit() const {
  const PoolOptions& options = config_.options;
  const MemberTable::Crowd crowd = config_.table->CountOpen();
  const int own = options.streams_per_connection_max;
  if (crowd.open == 0) {
    return absl::StrCat("none of at most ", options.connections_max,
                        " connections is ready, and the ordinary channel in their place is full",
                        own > 0 ? absl::StrCat(" (streams_per_connection_max ", own, ")") : "",
                        "; see Stats().last_error, or raise streams_per_connection_max");
  }
  const bool is_own = own > 0 && crowd.stream_limit == static_cast<uint32_t>(own);
  const std::string limit =
      is_own ? absl::StrCat("streams_per_connection_max (", own, ")")
             : absl::StrCat("their server allows (SETTINGS_MAX_CONCURRENT_STREAMS ",
                            crowd.stream_limit, ")");
  return absl::StrCat("as many RPCs as ", limit, is_own ? " allows" : "",
                      " are in flight on each of ", crowd.open, " ready connections (at most ",
                      options.connections_max, "); raise connections_max",
                      is_own ? " or streams_per_connection_max" : "");
}

std::shared_ptr<grpc::Channel> Overflow::ChannelFor(int kind, const grpc::Status& status) {
  {
    MutexLock lock(mutex_);
    const Refusal& last = refusals_[kind];
    if (last.channel != nullptr && last.message == status.error_message()) return last.channel;
  }
  Refusal made = {status.error_message(),
                  CreateLameChannel(config_.target, status, config_.interceptors())};
  std::shared_ptr<grpc::Channel> channel = made.channel;
  MutexLock lock(mutex_);  // goes before `made`, which then has the old one
  std::swap(refusals_[kind], made);
  return channel;
}

std::array<int64_t, kRejectReasons> Overflow::rejections() const {
  std::array<int64_t, kRejectReasons> counts;
  for (int i = 0; i < kRejectReasons; ++i) {
    counts[i] = rejections_[i].load(std::memory_order_relaxed);
  }
  return counts;
}

}  // namespace predial
