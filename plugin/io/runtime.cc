#include "plugin/io/runtime.h"

#include <thread>

#include "plugin/mutex.h"

namespace predial {
namespace {

struct Current {
  Mutex mutex;
  std::weak_ptr<Runtime> runtime ABSL_GUARDED_BY(mutex);
};

// Never destroyed: pools in static variables outlive it otherwise.
Current& TheCurrent() {
  static auto* const current = new Current;
  return *current;
}

void Delete(Runtime* runtime) {
  if (runtime->loop().InLoop() || runtime->poller().InPoller()) {
    std::thread([runtime] { delete runtime; }).detach();  // a thread cannot join itself
  } else {
    delete runtime;
  }
}

}  // namespace

std::shared_ptr<Runtime> Runtime::Get() {
  Current& current = TheCurrent();
  MutexLock lock(current.mutex);
  std::shared_ptr<Runtime> runtime = current.runtime.lock();
  if (runtime == nullptr) {
    runtime = std::shared_ptr<Runtime>(new Runtime, &Delete);
    current.runtime = runtime;
  }
  return runtime;
}

}  // namespace predial
