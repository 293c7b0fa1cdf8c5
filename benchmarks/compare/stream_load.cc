#include "benchmarks/compare/stream_load.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "grpcpp/support/status.h"
#include "plugin/mutex.h"
#include "proto/echo.grpc.pb.h"
#include "proto/echo.pb.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

// How far all streams are. Threads: thread-safe.
class Progress {
 public:
  void OnAnswer() { Count(answered_); }
  void OnEnd(bool well) {
    if (well) Count(finished_);
    Count(ended_);
  }
  // False: not within `patience`.
  bool AwaitAnswers(int count, absl::Duration patience) {
    return Await(answered_, count, patience);
  }
  bool AwaitEnds(int count, absl::Duration patience) { return Await(ended_, count, patience); }
  StreamReport Report() {
    MutexLock lock(mutex_);
    return {answered_, finished_};
  }

 private:
  void Count(int& what) {
    MutexLock lock(mutex_);
    ++what;
    changed_.notify_all();
  }
  bool Await(const int& what, int count, absl::Duration patience) {
    std::unique_lock<Mutex> lock(mutex_);
    return changed_.wait_for(lock, absl::ToChronoNanoseconds(patience),
                             [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return what >= count; });
  }

  Mutex mutex_;
  std::condition_variable_any changed_;
  int answered_ = 0;
  int finished_ = 0;
  int ended_ = 0;
};

// One stream. Threads: Finish() once, after the first answer or not at all.
class Stream : public grpc::ClientBidiReactor<EchoRequest, EchoResponse> {
 public:
  Stream(const Contender& contender, int number, Progress& progress)
      : progress_(progress), channel_(contender()), stub_(echo::v1::Echo::NewStub(channel_)) {
    request_.set_message(std::to_string(number));
    stub_->async()->BidiStream(&context_, this);
    AddHold();  // Finish() comes from outside of the reactions
    StartWrite(&request_);
    StartRead(&response_);
    StartCall();
  }

  bool answered() {
    MutexLock lock(mutex_);
    return answered_;
  }
  // Ends it, well if it was answered, else by force.
  void Finish() {
    if (answered()) {
      StartWritesDone();
    } else {
      context_.TryCancel();
    }
    RemoveHold();
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok || response_.message() != request_.message()) return;
    {
      MutexLock lock(mutex_);
      answered_ = true;
    }
    progress_.OnAnswer();
  }
  void OnDone(const grpc::Status& status) override { progress_.OnEnd(status.ok()); }

  Progress& progress_;
  const std::shared_ptr<grpc::ChannelInterface> channel_;
  const std::unique_ptr<echo::v1::Echo::Stub> stub_;
  grpc::ClientContext context_;
  EchoRequest request_;
  EchoResponse response_;
  Mutex mutex_;
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::StatusOr<StreamReport> RunStreams(const Contender& contender, int streams,
                                        absl::Duration patience) {
  if (streams < 1 || streams > 100'000) {
    return absl::InvalidArgumentError(
        absl::StrCat("streams is ", streams, "; it must be within [1, 100000]"));
  }
  Progress progress;
  std::vector<std::unique_ptr<Stream>> open;
  for (int i = 0; i < streams; ++i) {
    open.push_back(std::make_unique<Stream>(contender, i, progress));
  }
  progress.AwaitAnswers(streams, patience);
  // Those that end make room for others.
  const int progressed = progress.Report().progressed;
  for (const auto& stream : open) stream->Finish();
  if (!progress.AwaitEnds(streams, absl::Seconds(60))) {
    // They must not be destroyed before.
    for (auto& stream : open) static_cast<void>(stream.release());
    return absl::DeadlineExceededError("streams do not end");
  }
  return StreamReport{progressed, progress.Report().finished};
}

}  // namespace predial
