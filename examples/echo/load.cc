#include "examples/echo/load.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "grpcpp/client_context.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using echo::v1::Echo;
using echo::v1::EchoRequest;
using echo::v1::EchoResponse;
using SteadyClock = std::chrono::steady_clock;

constexpr int kMessagesPerStream = 3;

grpc::Status WrongAnswer(const EchoResponse& response) {
  return {grpc::StatusCode::DATA_LOSS, absl::StrCat("wrong answer: message '", response.message(),
                                                    "', received ", response.received())};
}

// The last response goes to `response`; OK if all were right.
class Caller {
 public:
  Caller(Echo::Stub& stub, const EchoRequest& request) : stub_(stub), request_(request) {}

  grpc::Status Call(CallKind kind, grpc::ClientContext& context, EchoResponse* response) {
    switch (kind) {
      case CallKind::kUnary:
        return Unary(context, response);
      case CallKind::kClientStream:
        return ClientStream(context, response);
      case CallKind::kServerStream:
        return ServerStream(context, response);
      case CallKind::kBidiStream:
        return BidiStream(context, response);
    }
    return grpc::Status(grpc::StatusCode::INTERNAL, "no such kind of call");
  }

 private:
  grpc::Status Check(const EchoResponse& response, int64_t received) const {
    const bool right = response.message() == request_.message() && response.received() == received;
    return right ? grpc::Status::OK : WrongAnswer(response);
  }

  grpc::Status Unary(grpc::ClientContext& context, EchoResponse* response) {
    const grpc::Status status = stub_.Unary(&context, request_, response);
    return status.ok() ? Check(*response, 1) : status;
  }

  grpc::Status ClientStream(grpc::ClientContext& context, EchoResponse* response) {
    const auto stream = stub_.ClientStream(&context, response);
    for (int i = 0; i < kMessagesPerStream; ++i) {
      if (!stream->Write(request_)) break;  // Finish() says why
    }
    stream->WritesDone();
    const grpc::Status status = stream->Finish();
    return status.ok() ? Check(*response, kMessagesPerStream) : status;
  }

  grpc::Status ServerStream(grpc::ClientContext& context, EchoResponse* response) {
    EchoRequest request = request_;
    request.set_responses(kMessagesPerStream);
    const auto stream = stub_.ServerStream(&context, request);
    grpc::Status answers;
    int received = 0;
    for (; stream->Read(response); ++received) {
      if (answers.ok()) answers = Check(*response, 1);
    }
    const grpc::Status status = stream->Finish();
    if (!status.ok()) return status;
    return received == kMessagesPerStream ? answers : WrongAnswer(*response);
  }

  grpc::Status BidiStream(grpc::ClientContext& context, EchoResponse* response) {
    const auto stream = stub_.BidiStream(&context);
    grpc::Status answers;
    int received = 0;
    while (received < kMessagesPerStream && stream->Write(request_) && stream->Read(response)) {
      ++received;
      if (answers.ok()) answers = Check(*response, received);
    }
    stream->WritesDone();
    const grpc::Status status = stream->Finish();
    if (!status.ok()) return status;
    return received == kMessagesPerStream ? answers : WrongAnswer(*response);
  }

  Echo::Stub& stub_;
  const EchoRequest& request_;
};

// One thread's share: calls until `next` has passed the last RPC.
LoadResult RunThread(Echo::Stub& stub, const LoadOptions& options, SteadyClock::time_point begin,
                     std::atomic<int64_t>& next) {
  LoadResult result;
  EchoRequest request;
  request.set_padding(std::string(options.payload_bytes, 'x'));
  for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < options.rpcs;) {
    if (options.rate > 0) {
      std::this_thread::sleep_until(
          begin + std::chrono::nanoseconds(static_cast<int64_t>(i / options.rate * 1e9)));
    }
    request.set_message(absl::StrCat(i));
    EchoResponse response;
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + options.timeout));
    const auto start = SteadyClock::now();
    const grpc::Status status =
        Caller(stub, request).Call(options.kinds[i % options.kinds.size()], context, &response);
    result.latencies.push_back(std::chrono::nanoseconds(SteadyClock::now() - start).count());
    ++result.rpcs;
    if (status.ok()) {
      ++result.answered_by[response.server_port()];
    } else {
      LoadResult::Errors& errors = result.errors[status.error_code()];
      ++errors.count;
      errors.example = status.error_message();
    }
  }
  return result;
}

void Add(const LoadResult& part, LoadResult& sum) {
  sum.rpcs += part.rpcs;
  for (const auto& [code, errors] : part.errors) {
    sum.errors[code].count += errors.count;
    sum.errors[code].example = errors.example;
  }
  for (const auto& [port, count] : part.answered_by) sum.answered_by[port] += count;
  sum.latencies.insert(sum.latencies.end(), part.latencies.begin(), part.latencies.end());
}

template <typename Value>
absl::Status OutOfRange(absl::string_view field, Value value, absl::string_view range) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", value, "; it must be within ", range));
}

}  // namespace

absl::StatusOr<std::vector<CallKind>> ParseCallKinds(absl::string_view text) {
  static const auto* const kNames = new std::map<absl::string_view, CallKind>{
      {"unary", CallKind::kUnary},
      {"client_stream", CallKind::kClientStream},
      {"server_stream", CallKind::kServerStream},
      {"bidi", CallKind::kBidiStream},
  };
  std::vector<CallKind> kinds;
  for (const absl::string_view name : absl::StrSplit(text, ',')) {
    const auto it = kNames->find(name);
    if (it == kNames->end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", name, "' is no kind of call; known are unary, client_stream, server_stream, bidi"));
    }
    kinds.push_back(it->second);
  }
  return kinds;
}

absl::Status LoadOptions::Validate() const {
  if (rpcs < 1 || rpcs > 10'000'000) return OutOfRange("rpcs", rpcs, "[1, 10000000]");
  if (threads < 1 || threads > 1024) return OutOfRange("threads", threads, "[1, 1024]");
  if (payload_bytes < 0 || payload_bytes > (64 << 20)) {
    return OutOfRange("payload_bytes", payload_bytes, "[0, 67108864]");
  }
  if (kinds.empty()) return OutOfRange("the number of kinds", 0, "[1, ...)");
  if (timeout <= absl::ZeroDuration() || timeout > absl::Hours(1)) {
    return OutOfRange("timeout", absl::FormatDuration(timeout), "(0, 1h]");
  }
  if (!(rate >= 0 && rate <= 1e6)) return OutOfRange("rate", rate, "[0, 1e6]");
  return absl::OkStatus();
}

LoadResult RunLoad(const std::shared_ptr<grpc::ChannelInterface>& channel,
                   const LoadOptions& options) {
  const std::unique_ptr<Echo::Stub> stub = Echo::NewStub(channel);
  const auto begin = SteadyClock::now();
  std::atomic<int64_t> next{0};
  std::vector<LoadResult> parts(options.threads);
  std::vector<std::thread> threads;
  for (LoadResult& part : parts) {
    threads.emplace_back([&] { part = RunThread(*stub, options, begin, next); });
  }
  for (std::thread& thread : threads) thread.join();
  LoadResult sum;
  sum.took = absl::FromChrono(SteadyClock::now() - begin);
  for (const LoadResult& part : parts) Add(part, sum);
  std::sort(sum.latencies.begin(), sum.latencies.end());
  return sum;
}

}  // namespace predial
