// ScriptedHealth: a health service (grpc.health.v1) that can also do what none should: hang, or end
// the Watch. What it says of each service is set from outside.
//
// Registered as a server's callback generic service, it gets every RPC that no other service takes;
// what is not Health/Check or Health/Watch is UNIMPLEMENTED.
//
// Threads: thread-safe. Has to outlive its server.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "plugin/mutex.h"
#include "proto/health.pb.h"

namespace predial::driven {

class ScriptedHealth : public grpc::CallbackGenericService {
 public:
  using ServingStatus = health::v1::HealthCheckResponse::ServingStatus;

  // What becomes of RPCs that begin from now on.
  struct Manner {
    enum class Kind {
      kAnswer,
      kHang,       // no answer, until the client gives up
      kEnd,        // ends at once
      kAnswerEnd,  // answers once and ends; of a Watch only
    };
    Kind kind = Kind::kAnswer;
    grpc::Status end = grpc::Status::OK;
  };

  // Watches of `service` are told. A service of which nothing was set is unknown.
  void Set(const std::string& service, ServingStatus status) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetCheckManner(Manner manner) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetWatchManner(Manner manner) ABSL_LOCKS_EXCLUDED(mutex_);

  struct Counts {
    int checks = 0;
    int watches = 0;
    int open_watches = 0;
    std::vector<std::chrono::steady_clock::time_point> watches_began;  // the first 1000
  };
  Counts counts() const ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

 private:
  class Rpc;

  Manner OnBegun(bool watch) ABSL_LOCKS_EXCLUDED(mutex_);
  // What is to be said of `service` now; from then on a Watch hears of changes.
  ServingStatus Ask(const std::string& service, const std::shared_ptr<Rpc>& watch)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnEnded(const std::shared_ptr<Rpc>& rpc, bool watch) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, ServingStatus> statuses_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::set<std::shared_ptr<Rpc>>> watchers_ ABSL_GUARDED_BY(mutex_);
  Manner check_manner_ ABSL_GUARDED_BY(mutex_);
  Manner watch_manner_ ABSL_GUARDED_BY(mutex_);
  Counts counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace predial::driven
