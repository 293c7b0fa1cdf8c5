#include "examples/echo/health_stream.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "absl/time/clock.h"

namespace predial {
namespace {

using health::v1::HealthCheckRequest;
using health::v1::HealthCheckResponse;
using Stub = grpc::TemplatedGenericStub<HealthCheckRequest, HealthCheckResponse>;

constexpr absl::Duration kTimeout = absl::Seconds(30);

}  // namespace

grpc::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel, const std::string& service,
                         HealthCheckResponse* response) {
  HealthCheckRequest request;
  request.set_service(service);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kTimeout));
  std::mutex mu;
  std::condition_variable changed;
  bool done = false;
  grpc::Status result;
  Stub(channel).UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request, response,
                          [&](grpc::Status status) {
                            std::lock_guard<std::mutex> lock(mu);
                            result = std::move(status);
                            done = true;
                            changed.notify_all();
                          });
  std::unique_lock<std::mutex> lock(mu);
  changed.wait(lock, [&] { return done; });  // the RPC has a deadline
  return result;
}

HealthStream::HealthStream(const std::shared_ptr<grpc::Channel>& channel,
                           const std::string& service) {
  HealthCheckRequest request;
  request.set_service(service);
  stream_ = Stub(channel).PrepareCall(&context_, "/grpc.health.v1.Health/Watch", &queue_);
  stream_->StartCall(this);
  if (!Await(kTimeout)) return;
  stream_->WriteLast(request, grpc::WriteOptions(), this);
  Await(kTimeout);
}

HealthStream::~HealthStream() {
  context_.TryCancel();
  grpc::Status status;
  stream_->Finish(&status, this);
  queue_.Shutdown();
  void* tag;
  bool ok;
  while (queue_.Next(&tag, &ok)) {
  }
}

std::optional<HealthCheckResponse::ServingStatus> HealthStream::Next(absl::Duration timeout) {
  if (!reading_) stream_->Read(&response_, this);
  reading_ = true;
  if (!Await(timeout)) return std::nullopt;
  reading_ = false;
  return response_.status();
}

bool HealthStream::Await(absl::Duration timeout) {
  void* tag;
  bool ok = false;
  const auto next = queue_.AsyncNext(&tag, &ok, absl::ToChronoTime(absl::Now() + timeout));
  return next == grpc::CompletionQueue::GOT_EVENT && ok;
}

}  // namespace predial
