#include "benchmarks/compare/loads.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "plugin/mutex.h"

namespace predial {
namespace {

using Clock = LoadWindow::Clock;

constexpr int kInFlightMax = 100'000;

template <typename Value>
absl::Status CheckRange(absl::string_view what, Value value, Value min, Value max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is ", value, "; it must be within [", min, ", ", max, "]"));
}

absl::Status CheckTimes(const LoadTimes& times) {
  absl::Status status =
      CheckRange("the warm-up in seconds", absl::ToDoubleSeconds(times.warmup), 0.0, 3600.0);
  if (!status.ok()) return status;
  return CheckRange("the length in seconds", absl::ToDoubleSeconds(times.length), 0.001, 3600.0);
}

Clock::duration ToClock(absl::Duration duration) { return absl::ToChronoNanoseconds(duration); }

// How many RPCs are in flight, to wait for their end.
class InFlight {
 public:
  void Begin() {
    MutexLock lock(mutex_);
    ++count_;
  }
  void End() {
    MutexLock lock(mutex_);
    if (--count_ == 0) changed_.notify_all();
  }
  bool BeginUnlessFull(int max) {
    MutexLock lock(mutex_);
    if (count_ >= max) return false;
    ++count_;
    return true;
  }
  void AwaitNone() {
    std::unique_lock<Mutex> lock(mutex_);
    changed_.wait(lock, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return count_ == 0; });
  }

 private:
  Mutex mutex_;
  std::condition_variable_any changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Closed-loop callers. Goes on until it is destroyed, which waits for the RPCs in flight.
class Callers {
 public:
  Callers(const Contender& contender, const RpcShape& shape, int callers, LoadWindow& window)
      : window_(window) {
    for (int i = 0; i < callers; ++i) {
      rpcs_.push_back(std::make_unique<UnaryRpc>(contender, shape));
      in_flight_.Begin();
    }
    for (const auto& rpc : rpcs_) Next(*rpc);
  }
  ~Callers() {
    stop_ = true;
    in_flight_.AwaitNone();
  }

 private:
  void Next(UnaryRpc& rpc) {
    if (stop_) return in_flight_.End();
    const Clock::time_point began = Clock::now();
    rpc.SendAsync([this, &rpc, began](const grpc::Status& status) {
      window_.Record(began, status);
      Next(rpc);
    });
  }

  LoadWindow& window_;
  std::vector<std::unique_ptr<UnaryRpc>> rpcs_;
  std::atomic<bool> stop_{false};
  InFlight in_flight_;
};

// Begins RPCs on this thread at the times that are asked for. Those are recorded that have to begin
// at `counts_from` or later, however late they end.
class Arrivals {
 public:
  Arrivals(const std::vector<Contender>& contenders, const RpcShape& shape,
           Clock::time_point counts_from, LoadWindow& window)
      : contenders_(contenders), shape_(shape), counts_from_(counts_from), window_(window) {}
  ~Arrivals() { AwaitEnd(); }

  void BeginAt(Clock::time_point when) {
    std::this_thread::sleep_until(when);
    if (!in_flight_.BeginUnlessFull(kInFlightMax)) {
      Record(when, {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many RPCs in flight"});
      return;
    }
    auto* rpc = new UnaryRpc(contenders_[next_++ % contenders_.size()], shape_);
    rpc->SendAsync([this, rpc, when](const grpc::Status& status) {
      Record(when, status);
      delete rpc;
      in_flight_.End();
    });
  }
  // `rate` per second, from `begin` to `end`.
  void BeginEvenly(double rate, Clock::time_point begin, Clock::time_point end) {
    for (int64_t i = 0;; ++i) {
      const auto when = begin + std::chrono::duration_cast<Clock::duration>(
                                    std::chrono::duration<double>(static_cast<double>(i) / rate));
      if (when >= end) return;
      BeginAt(when);
    }
  }

  // Waits for the RPCs in flight.
  void AwaitEnd() { in_flight_.AwaitNone(); }

 private:
  void Record(Clock::time_point when, const grpc::Status& status) {
    if (when >= counts_from_) window_.Record(when, status);
  }

  const std::vector<Contender>& contenders_;
  const RpcShape& shape_;
  const Clock::time_point counts_from_;
  LoadWindow& window_;
  size_t next_ = 0;
  InFlight in_flight_;
};

}  // namespace

absl::StatusOr<LoadReport> RunCallers(const Contender& contender, const RpcShape& shape,
                                      int callers, const LoadTimes& times) {
  absl::Status status = CheckRange("callers", callers, 1, 100'000);
  status.Update(CheckTimes(times));
  if (!status.ok()) return status;
  LoadWindow window;
  const Callers load(contender, shape, callers, window);
  std::this_thread::sleep_for(ToClock(times.warmup));
  window.Open();
  std::this_thread::sleep_for(ToClock(times.length));
  return window.Close();
}

absl::StatusOr<LoadReport> RunThreads(const Contender& contender, const RpcShape& shape,
                                      int threads, const LoadTimes& times) {
  absl::Status status = CheckRange("threads", threads, 1, 1024);
  status.Update(CheckTimes(times));
  if (!status.ok()) return status;
  LoadWindow window;
  std::atomic<bool> stop{false};
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&] {
      UnaryRpc rpc(contender, shape);
      while (!stop) {
        const Clock::time_point began = Clock::now();
        window.Record(began, rpc.Send());
      }
    });
  }
  std::this_thread::sleep_for(ToClock(times.warmup));
  window.Open();
  std::this_thread::sleep_for(ToClock(times.length));
  LoadReport report = window.Close();
  stop = true;
  for (std::thread& thread : running) thread.join();
  return report;
}

absl::StatusOr<LoadReport> RunArrivals(const std::vector<Contender>& contenders,
                                       const RpcShape& shape, double rate, const LoadTimes& times) {
  absl::Status status = CheckRange("rate", rate, 1e-3, 1e6);
  status.Update(CheckTimes(times));
  if (!status.ok()) return status;
  LoadWindow window;
  const Clock::time_point begin = Clock::now();
  const Clock::time_point opens = begin + ToClock(times.warmup);
  Arrivals arrivals(contenders, shape, opens, window);
  arrivals.BeginEvenly(rate, begin, opens);
  window.Open();
  arrivals.BeginEvenly(rate, opens, opens + ToClock(times.length));
  arrivals.AwaitEnd();
  return window.Close();
}

absl::StatusOr<LoadReport> RunBurst(const Contender& contender, const RpcShape& shape, int rpcs,
                                    absl::Duration within) {
  absl::Status status = CheckRange("rpcs", rpcs, 1, 100'000);
  status.Update(CheckRange("the burst in seconds", absl::ToDoubleSeconds(within), 0.0, 3600.0));
  if (!status.ok()) return status;
  LoadWindow window;
  window.Open();
  const std::vector<Contender> contenders = {contender};
  const Clock::time_point begin = Clock::now();
  Arrivals arrivals(contenders, shape, begin, window);
  for (int i = 0; i < rpcs; ++i) arrivals.BeginAt(begin + ToClock(within * i / rpcs));
  arrivals.AwaitEnd();
  return window.Close();
}

absl::StatusOr<LoadReport> RunMixed(const Contender& contender, const RpcShape& shape, double rate,
                                    const RpcShape& beside, int callers, const LoadTimes& times) {
  const absl::Status status = CheckRange("callers", callers, 1, 100'000);
  if (!status.ok()) return status;
  LoadWindow not_reported;
  const Callers load(contender, beside, callers, not_reported);
  return RunArrivals({contender}, shape, rate, times);
}

}  // namespace predial
