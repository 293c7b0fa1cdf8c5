#include "plugin/testing/server_record.h"

#include <chrono>

namespace predial {
namespace {

// Far beyond what anything takes that a test waits for.
constexpr std::chrono::seconds kPatience{30};

}  // namespace

std::string RecordedRequest::header(absl::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

std::vector<RecordedRequest> ServerRecord::RequestsTo(absl::string_view path) const {
  std::vector<RecordedRequest> found;
  for (const RecordedRequest& request : requests) {
    if (request.path == path) found.push_back(request);
  }
  return found;
}

void RecordKeeper::Update(const std::function<void(ServerRecord&)>& change) {
  MutexLock lock(mutex_);
  change(record_);
  changed_.notify_all();
}

ServerRecord RecordKeeper::Read() {
  MutexLock lock(mutex_);
  return record_;
}

bool RecordKeeper::WaitFor(const std::function<bool(const ServerRecord&)>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  MutexLock lock(mutex_);
  while (!condition(record_)) {
    if (changed_.wait_until(mutex_, deadline) == std::cv_status::timeout) {
      return condition(record_);
    }
  }
  return true;
}

}  // namespace predial
