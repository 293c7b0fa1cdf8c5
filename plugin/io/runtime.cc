#include "plugin/io/runtime.h"

#include <thread>

#include "plugin/io/per_process.h"
#include "plugin/mutex.h"

namespace predial {
namespace {

struct Current {
  Mutex mutex;
  std::weak_ptr<Runtime> runtime ABSL_GUARDED_BY(mutex);
};

PerProcess<Current> the_current;

void Delete(Runtime* runtime) {
  if (runtime->loop().InLoop() || runtime->poller().InPoller()) {
    std::thread([runtime] { delete runtime; }).detach();  // a thread cannot join itself
  } else {
    delete runtime;
  }
}

}  // namespace

std::shared_ptr<Runtime> Runtime::Get() {
  Current& current = the_current.Get();
  MutexLock lock(current.mutex);
  std::shared_ptr<Runtime> runtime = current.runtime.lock();
  if (runtime == nullptr) {
    runtime = std::shared_ptr<Runtime>(new Runtime, &Delete);
    current.runtime = runtime;
  }
  return runtime;
}

}  // namespace predial
