// ServerRecord: what a ScriptedServer has got so far, and RecordKeeper, which collects it. Tests
// prove by it what a client sent, and that it sent it once.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "plugin/mutex.h"
#include "plugin/testing/hpack.h"
#include "plugin/testing/http2_frame.h"

namespace predial {

// What comes for an RPC after its answer is complete is not in it.
struct RecordedRequest {
  int connection = 0;  // its index in ServerRecord::connections
  uint32_t stream = 0;
  std::string path;                   // "/package.Service/Method"
  HeaderList headers;                 // all of them
  std::vector<std::string> messages;  // without gRPC's prefix; compressed if the client did that
  bool ended = false;                 // the client has said all
  // It came after a GOAWAY that excludes it, and is ignored (RFC 9113 section 6.8).
  bool excluded = false;
  std::optional<Http2Error> reset;  // by the client

  // The first of this name; empty if there is none.
  std::string header(absl::string_view name) const;
};

struct RecordedConnection {
  bool preface = false;                   // the client's has come
  std::map<uint16_t, uint32_t> settings;  // the client's, by identifier
  int settings_acks = 0;                  // that the client sent
  int ping_acks = 0;
  int pings = 0;
  bool goaway = false;  // the client sent one
  bool client_closed = false;
  bool closed = false;  // by either side
  std::string error;    // what the client did against HTTP/2's rules; empty: nothing
};

struct ServerRecord {
  std::vector<RecordedConnection> connections;  // in the order in which they were accepted
  std::vector<RecordedRequest> requests;        // in the order in which their headers came

  // Those to `path` only.
  std::vector<RecordedRequest> RequestsTo(absl::string_view path) const;
};

// Thread-safe.
class RecordKeeper {
 public:
  // Changes the record; wakes those who wait for it.
  void Update(const std::function<void(ServerRecord&)>& change) ABSL_LOCKS_EXCLUDED(mutex_);
  ServerRecord Read() ABSL_LOCKS_EXCLUDED(mutex_);
  // Until `condition` holds of the record. False if that takes more than 30 s. `condition` runs
  // under the keeper's lock.
  bool WaitFor(const std::function<bool(const ServerRecord&)>& condition)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  std::condition_variable_any changed_;
  ServerRecord record_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace predial
