#include "benchmarks/compare/unary_rpc.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace predial {

UnaryRpc::UnaryRpc(Contender contender, const RpcShape& shape)
    : contender_(std::move(contender)), shape_(shape) {
  request_.mutable_padding()->assign(shape.request_bytes, 'p');
  request_.set_response_bytes(shape.response_bytes);
  const int64_t nanos = absl::ToInt64Nanoseconds(shape.handler_delay);
  if (nanos > 0) {
    request_.mutable_delay()->set_seconds(nanos / 1'000'000'000);
    request_.mutable_delay()->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
  }
}

grpc::Status UnaryRpc::Send() {
  Prepare();
  return Check(stub_->Unary(&*context_, request_, &response_));
}

void UnaryRpc::SendAsync(Done done) {
  Prepare();
  stub_->async()->Unary(
      &*context_, &request_, &response_,
      [this, done = std::move(done)](const grpc::Status& status) { done(Check(status)); });
}

void UnaryRpc::Prepare() {
  auto channel = contender_();
  if (channel != channel_) {
    stub_ = echo::v1::Echo::NewStub(channel);
    channel_ = std::move(channel);
  }
  context_.emplace();
  context_->set_deadline(absl::ToChronoTime(absl::Now() + shape_.deadline));
  request_.set_message(std::to_string(++number_));
  response_.Clear();
}

grpc::Status UnaryRpc::Check(const grpc::Status& status) const {
  if (!status.ok()) return status;
  if (response_.message() != request_.message() ||
      response_.padding().size() != static_cast<size_t>(shape_.response_bytes)) {
    return {grpc::StatusCode::DATA_LOSS,
            absl::StrCat("asked for '", request_.message(), "' and ", shape_.response_bytes,
                         " bytes, answered '", response_.message(), "' and ",
                         response_.padding().size())};
  }
  return grpc::Status::OK;
}

}  // namespace predial
