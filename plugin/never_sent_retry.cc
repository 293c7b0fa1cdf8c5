#include "plugin/never_sent_retry.h"

#include <algorithm>
#include <utility>

#include "plugin/channel_access.h"
#include "plugin/io/rpc_outcome.h"

namespace predial {

std::shared_ptr<NeverSentRetry> NeverSentRetry::Create(GrpcPoller& poller, MemberTable& table,
                                                       Lease member, Rpc rpc, Done done) {
  std::shared_ptr<NeverSentRetry> retry(
      new NeverSentRetry(poller, table, std::move(member), std::move(rpc), std::move(done)));
  retry->self_ = retry;
  return retry;
}

void NeverSentRetry::Start() {
  if (!member_.slot().refuses()) return Confirm();
  member_.End();
  Resend();
}

NeverSentRetry::NeverSentRetry(GrpcPoller& poller, MemberTable& table, Lease member, Rpc rpc,
                               Done done)
    : queue_(poller.queue()),
      table_(table),
      rpc_(std::move(rpc)),
      done_(std::move(done)),
      urgent_(std::in_place, poller),
      member_(std::move(member)) {
  ChannelAccess::CopyRequest(*rpc_.context, context_);
}

void NeverSentRetry::Confirm() {
  confirm_context_.set_deadline(
      std::min(rpc_.context->deadline(), std::chrono::system_clock::now() + kConfirmTimeout));
  grpc::GenericStub stub(member_.slot().channel());
  confirm_reader_ = stub.PrepareUnaryCall(&confirm_context_, "/grpc.health.v1.Health/Check",
                                          grpc::ByteBuffer(), queue_);
  confirm_reader_->StartCall();
  confirm_reader_->Finish(&response_, &status_, Pass());
}

void NeverSentRetry::Resend() {
  anchor_ = table_.AcquireFallback();
  grpc::GenericStub stub(anchor_.slot().channel());
  reader_ = stub.PrepareUnaryCall(&context_, rpc_.method, rpc_.request, queue_);
  reader_->StartCall();
  reader_->Finish(&response_, &status_, Pass());
}

void NeverSentRetry::OnCompleted(bool /*ok*/) {
  if (!member_) {
    anchor_.End(JudgeOutcome(status_));
    return Finish(/*resent=*/true);
  }
  const bool refuses = WasNeverSent(status_).has_value();
  if (refuses) member_.NoteRefusal();
  member_.End();
  if (!refuses) return Finish(/*resent=*/false);
  response_.Clear();
  Resend();
}

void NeverSentRetry::Finish(bool resent) {
  const std::shared_ptr<NeverSentRetry> self = std::move(self_);
  urgent_.reset();
  Done done = std::move(done_);
  done(resent);
}

void NeverSentRetry::Cancel() {
  cancelled_ = true;
  confirm_context_.TryCancel();
  context_.TryCancel();
}

}  // namespace predial
