#include "plugin/io/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>

#include <deque>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "plugin/io/per_process.h"
#include "plugin/mutex.h"

namespace predial {
namespace {

bool IsNoAddress(int result) {
  return result == EAI_NONAME || result == EAI_NODATA || result == EAI_ADDRFAMILY;
}

absl::Status LookupError(const std::string& host, const std::string& port, int result, int error) {
  const std::string message = absl::StrCat(
      "looking up ", host, ": ", gai_strerror(result),
      result == EAI_SYSTEM ? absl::StrCat(": ", std::generic_category().message(error)) : "");
  if (IsNoAddress(result)) return absl::NotFoundError(message);
  switch (result) {
    case EAI_SERVICE:
      return absl::InvalidArgumentError(absl::StrCat(message, " (port \"", port, "\")"));
    case EAI_MEMORY:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

// The jobs, and the threads that run them.
class LookupThreads {
 public:
  void Run(LookupJob job) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(mutex_);
      jobs_.push_back(std::move(job));
      if (threads_ == kLookupThreadsMax) return;
      ++threads_;
    }
    const int error = StartThread();
    if (error != 0) OnThreadFailed(error);
  }

 private:
  int StartThread() {
    // The application's signal handlers do not run on this thread.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    const int error = pthread_create(&thread, nullptr, &LookupThreads::Main, this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error == 0) pthread_detach(thread);
    return error;
  }

  static void* Main(void* self) {
    static_cast<LookupThreads*>(self)->RunJobs();
    return nullptr;
  }

  void OnThreadFailed(int error) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::deque<LookupJob> failed;
    {
      MutexLock lock(mutex_);
      --threads_;
      if (threads_ == 0) failed.swap(jobs_);  // else another thread takes them
    }
    for (LookupJob& job : failed) {
      job(absl::ResourceExhaustedError(
          absl::StrCat("no thread for a name lookup: ", std::generic_category().message(error))));
    }
  }

  void RunJobs() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (true) {
      LookupJob job;
      {
        MutexLock lock(mutex_);
        if (jobs_.empty()) {
          --threads_;
          return;
        }
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      job(absl::OkStatus());
    }
  }

  Mutex mutex_;
  std::deque<LookupJob> jobs_ ABSL_GUARDED_BY(mutex_);
  int threads_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

absl::StatusOr<std::vector<Address>> LookupBySystem(const std::string& host,
                                                    const std::string& port) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  absl::string_view name = host;
  absl::ConsumeSuffix(&name, ".");
  // The loopback's addresses do not count as a host's own, and yet localhost has them; a literal is
  // what its writer meant.
  if (!absl::EqualsIgnoreCase(name, "localhost") && !absl::StrContains(name, ':')) {
    hints.ai_flags = AI_ADDRCONFIG;
  }

  addrinfo* list = nullptr;
  std::string service = port;
  int result = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
  if (result == EAI_SERVICE && (service == "http" || service == "https")) {
    service = service == "http" ? "80" : "443";
    result = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
  }
  if (hints.ai_flags != 0 && IsNoAddress(result)) {
    // What there is, if nothing else: it may be loopback's.
    hints.ai_flags = 0;
    result = getaddrinfo(host.c_str(), service.c_str(), &hints, &list);
  }
  if (result != 0) return LookupError(host, port, result, errno);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    if (info->ai_family == AF_INET || info->ai_family == AF_INET6) {
      addresses.emplace_back(info->ai_addr, info->ai_addrlen);
    }
  }
  return addresses;
}

void RunOnLookupThread(LookupJob job) {
  static PerProcess<LookupThreads> threads;
  threads.Get().Run(std::move(job));
}

}  // namespace predial
