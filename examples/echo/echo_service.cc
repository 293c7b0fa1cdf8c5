#include "examples/echo/echo_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "examples/echo/delay.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/status.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

constexpr int kDelaySecondsMax = 60;
constexpr int kResponseBytesMax = 64 << 20;
constexpr int kResponsesMax = 1'000'000;
constexpr int kNanosMax = 999'999'999;  // of google.protobuf.Duration

absl::Duration DelayOf(const EchoRequest& request) {
  return absl::Seconds(request.delay().seconds()) + absl::Nanoseconds(request.delay().nanos());
}

template <typename Value>
grpc::Status OutOfRange(absl::string_view field, Value value, absl::string_view range) {
  return {grpc::StatusCode::INVALID_ARGUMENT,
          absl::StrCat(field, " is ", value, ", which is not within ", range)};
}

grpc::Status CheckBounds(const EchoRequest& request) {
  const absl::Duration delay = DelayOf(request);
  if (delay < absl::ZeroDuration() || delay > absl::Seconds(kDelaySecondsMax)) {
    return OutOfRange("delay", absl::FormatDuration(delay), "[0, 1m]");
  }
  if (request.delay().nanos() < 0 || request.delay().nanos() > kNanosMax) {
    return OutOfRange("delay.nanos", request.delay().nanos(), absl::StrCat("[0, ", kNanosMax, "]"));
  }
  if (request.response_bytes() < 0 || request.response_bytes() > kResponseBytesMax) {
    return OutOfRange("response_bytes", request.response_bytes(),
                      absl::StrCat("[0, ", kResponseBytesMax, "]"));
  }
  if (request.status_code() < 0 || request.status_code() > grpc::StatusCode::UNAUTHENTICATED) {
    return OutOfRange("status_code", request.status_code(),
                      absl::StrCat("[0, ", grpc::StatusCode::UNAUTHENTICATED, "]"));
  }
  if (request.responses() < 0 || request.responses() > kResponsesMax) {
    return OutOfRange("responses", request.responses(), absl::StrCat("[0, ", kResponsesMax, "]"));
  }
  return grpc::Status::OK;
}

// The status that `request` asks for, or OK and the response.
grpc::Status Answer(const EchoRequest& request, int64_t received, int port,
                    EchoResponse* response) {
  if (request.status_code() != 0) {
    return {static_cast<grpc::StatusCode>(request.status_code()), request.status_message()};
  }
  response->set_message(request.message());
  response->mutable_padding()->assign(request.response_bytes(), '\0');
  response->set_received(received);
  response->set_server_port(port);
  return grpc::Status::OK;
}

// What the reactors share: a delay that ends with the RPC.
template <typename Reactor>
class DelayingReactor : public Reactor {
 protected:
  // Calls `then` after the delay of `request`; if the RPC is cancelled meanwhile, ends it instead.
  template <typename Then>
  void AfterDelay(const EchoRequest& request, Then then) {
    const absl::Duration delay = DelayOf(request);
    if (delay == absl::ZeroDuration()) {
      then();
      return;
    }
    delay_.Start(delay, [this, then = std::move(then)](bool elapsed) {
      if (elapsed) {
        then();
      } else {
        this->Finish(grpc::Status::CANCELLED);
      }
    });
  }

 private:
  void OnCancel() override { delay_.Cancel(); }
  void OnDone() override { delete this; }

  Delay delay_;
};

class UnaryReactor final : public DelayingReactor<grpc::ServerUnaryReactor> {
 public:
  UnaryReactor(const EchoRequest* request, EchoResponse* response, int port) {
    AfterDelay(*request, [=] { Finish(Answer(*request, 1, port, response)); });
  }
};

class ClientStreamReactor final : public DelayingReactor<grpc::ServerReadReactor<EchoRequest>> {
 public:
  ClientStreamReactor(EchoResponse* response, int port) : response_(response), port_(port) {
    StartRead(&request_);
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      AfterDelay(last_, [this] { Finish(Answer(last_, received_, port_, response_)); });
      return;
    }
    const grpc::Status status = CheckBounds(request_);
    if (!status.ok()) {
      Finish(status);
      return;
    }
    ++received_;
    last_.Swap(&request_);
    if (last_.status_code() != 0) {
      AfterDelay(last_, [this] { Finish(Answer(last_, received_, port_, response_)); });
    } else {
      StartRead(&request_);
    }
  }

  EchoResponse* const response_;
  const int port_;
  EchoRequest request_;
  EchoRequest last_;
  int64_t received_ = 0;
};

class ServerStreamReactor final : public DelayingReactor<grpc::ServerWriteReactor<EchoResponse>> {
 public:
  ServerStreamReactor(const EchoRequest* request, int port)
      : request_(request), left_(std::max(1, request->responses())) {
    const grpc::Status status = CheckBounds(*request);
    if (!status.ok()) {
      Finish(status);
      return;
    }
    AfterDelay(*request, [this, port] {
      const grpc::Status answer = Answer(*request_, 1, port, &response_);
      if (answer.ok()) {
        StartWrite(&response_);
      } else {
        Finish(answer);
      }
    });
  }

 private:
  void OnWriteDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::CANCELLED);
    } else if (--left_ == 0) {
      Finish(grpc::Status::OK);
    } else {
      AfterDelay(*request_, [this] { StartWrite(&response_); });
    }
  }

  const EchoRequest* const request_;
  int left_;
  EchoResponse response_;
};

class BidiStreamReactor final
    : public DelayingReactor<grpc::ServerBidiReactor<EchoRequest, EchoResponse>> {
 public:
  explicit BidiStreamReactor(int port) : port_(port) { StartRead(&request_); }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    const grpc::Status status = CheckBounds(request_);
    if (!status.ok()) {
      Finish(status);
      return;
    }
    ++received_;
    AfterDelay(request_, [this] {
      const grpc::Status answer = Answer(request_, received_, port_, &response_);
      if (answer.ok()) {
        StartWrite(&response_);
      } else {
        Finish(answer);
      }
    });
  }

  void OnWriteDone(bool ok) override {
    if (ok) {
      StartRead(&request_);
    } else {
      Finish(grpc::Status::CANCELLED);
    }
  }

  const int port_;
  EchoRequest request_;
  EchoResponse response_;
  int64_t received_ = 0;
};

}  // namespace

grpc::ServerUnaryReactor* EchoService::Unary(grpc::CallbackServerContext* context,
                                             const EchoRequest* request, EchoResponse* response) {
  rpcs_.fetch_add(1, std::memory_order_relaxed);
  if (on_unary_) on_unary_(*request);
  const grpc::Status status = CheckBounds(*request);
  if (status.ok() && DelayOf(*request) > absl::ZeroDuration()) {
    return new UnaryReactor(request, response, port_);
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status.ok() ? Answer(*request, 1, port_, response) : status);
  return reactor;
}

grpc::ServerReadReactor<EchoRequest>* EchoService::ClientStream(grpc::CallbackServerContext*,
                                                                EchoResponse* response) {
  rpcs_.fetch_add(1, std::memory_order_relaxed);
  return new ClientStreamReactor(response, port_);
}

grpc::ServerWriteReactor<EchoResponse>* EchoService::ServerStream(grpc::CallbackServerContext*,
                                                                  const EchoRequest* request) {
  rpcs_.fetch_add(1, std::memory_order_relaxed);
  return new ServerStreamReactor(request, port_);
}

grpc::ServerBidiReactor<EchoRequest, EchoResponse>* EchoService::BidiStream(
    grpc::CallbackServerContext*) {
  rpcs_.fetch_add(1, std::memory_order_relaxed);
  return new BidiStreamReactor(port_);
}

}  // namespace predial
