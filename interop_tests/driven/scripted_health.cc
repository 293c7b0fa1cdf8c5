#include "interop_tests/driven/scripted_health.h"

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/slice.h>

#include <optional>
#include <utility>

namespace predial::driven {
namespace {

using health::v1::HealthCheckRequest;
using health::v1::HealthCheckResponse;

constexpr size_t kTimesMax = 1000;

grpc::ByteBuffer Bytes(ScriptedHealth::ServingStatus status) {
  HealthCheckResponse response;
  response.set_status(status);
  const grpc::Slice slice(response.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace

// One Check or Watch. Keeps itself alive until gRPC is done with it.
//
// One thread at a time has the say about what it does next: `busy_` from the time when that is
// decided until gRPC reports the end of it.
class ScriptedHealth::Rpc : public grpc::ServerGenericBidiReactor,
                            public std::enable_shared_from_this<Rpc> {
 public:
  Rpc(ScriptedHealth& health, bool watch)
      : health_(health), watch_(watch), manner_(health.OnBegun(watch)) {}

  void Begin() {
    self_ = shared_from_this();
    StartRead(&request_);
  }

  // There is a new status to tell.
  void Tell(ServingStatus status) {
    {
      MutexLock lock(mutex_);
      next_ = status;
      if (busy_ || ended_) return;
      busy_ = true;
    }
    Continue();
  }

  void OnReadDone(bool ok) override {
    HealthCheckRequest request;
    grpc::Slice slice;
    if (!ok || !request_.DumpToSingleSlice(&slice).ok() ||
        !request.ParseFromArray(slice.begin(), static_cast<int>(slice.size()))) {
      return End({grpc::StatusCode::INVALID_ARGUMENT, "no request"});
    }
    switch (manner_.kind) {
      case Manner::Kind::kEnd:
        return End(manner_.end);
      case Manner::Kind::kHang:
        break;
      case Manner::Kind::kAnswer:
      case Manner::Kind::kAnswerEnd: {
        const bool stays = watch_ && manner_.kind == Manner::Kind::kAnswer;
        const ServingStatus status =
            health_.Ask(request.service(), stays ? shared_from_this() : nullptr);
        if (!watch_ && status == HealthCheckResponse::SERVICE_UNKNOWN) {
          return End({grpc::StatusCode::NOT_FOUND, "unknown service"});
        }
        MutexLock lock(mutex_);
        if (!next_) next_ = status;  // else there is news already
      }
    }
    Continue();
  }

  void OnWriteDone(bool ok) override {
    if (!ok || !watch_ || manner_.kind == Manner::Kind::kAnswerEnd) return End(manner_.end);
    Continue();
  }

  void OnCancel() override {
    {
      MutexLock lock(mutex_);
      cancelled_ = true;
      if (busy_ || ended_) return;
      busy_ = true;
    }
    Continue();
  }

  void OnDone() override {
    health_.OnEnded(shared_from_this(), watch_);
    self_.reset();
  }

 private:
  // Does the next thing, by a thread that has the say.
  void Continue() {
    std::optional<ServingStatus> status;
    {
      MutexLock lock(mutex_);
      if (!cancelled_) {
        status = std::exchange(next_, std::nullopt);
        if (!status) {
          busy_ = false;
          return;
        }
      }
    }
    if (!status) return End(grpc::Status::CANCELLED);
    response_ = Bytes(*status);
    StartWrite(&response_);
  }

  void End(const grpc::Status& status) {
    {
      MutexLock lock(mutex_);
      ended_ = true;
    }
    Finish(status);
  }

  ScriptedHealth& health_;
  const bool watch_;
  const Manner manner_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
  std::shared_ptr<Rpc> self_;

  Mutex mutex_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = true;  // reading
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<ServingStatus> next_ ABSL_GUARDED_BY(mutex_);
};

grpc::ServerGenericBidiReactor* ScriptedHealth::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  const bool watch = context->method() == "/grpc.health.v1.Health/Watch";
  if (!watch && context->method() != "/grpc.health.v1.Health/Check") {
    return grpc::CallbackGenericService::CreateReactor(context);
  }
  const auto rpc = std::make_shared<Rpc>(*this, watch);
  rpc->Begin();
  return rpc.get();
}

void ScriptedHealth::Set(const std::string& service, ServingStatus status) {
  std::set<std::shared_ptr<Rpc>> watchers;
  {
    MutexLock lock(mutex_);
    statuses_[service] = status;
    watchers = watchers_[service];
  }
  for (const std::shared_ptr<Rpc>& watcher : watchers) watcher->Tell(status);
}

void ScriptedHealth::SetCheckManner(Manner manner) {
  MutexLock lock(mutex_);
  check_manner_ = std::move(manner);
}

void ScriptedHealth::SetWatchManner(Manner manner) {
  MutexLock lock(mutex_);
  watch_manner_ = std::move(manner);
}

ScriptedHealth::Counts ScriptedHealth::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

ScriptedHealth::Manner ScriptedHealth::OnBegun(bool watch) {
  MutexLock lock(mutex_);
  if (!watch) {
    ++counts_.checks;
    return check_manner_;
  }
  ++counts_.watches;
  ++counts_.open_watches;
  if (counts_.watches_began.size() < kTimesMax) {
    counts_.watches_began.push_back(std::chrono::steady_clock::now());
  }
  return watch_manner_;
}

ScriptedHealth::ServingStatus ScriptedHealth::Ask(const std::string& service,
                                                  const std::shared_ptr<Rpc>& watch) {
  MutexLock lock(mutex_);
  if (watch != nullptr) watchers_[service].insert(watch);
  const auto found = statuses_.find(service);
  return found == statuses_.end() ? HealthCheckResponse::SERVICE_UNKNOWN : found->second;
}

void ScriptedHealth::OnEnded(const std::shared_ptr<Rpc>& rpc, bool watch) {
  MutexLock lock(mutex_);
  if (watch) --counts_.open_watches;
  for (auto& [service, watchers] : watchers_) watchers.erase(rpc);
}

}  // namespace predial::driven
