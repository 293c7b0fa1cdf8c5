#include "plugin/io/channel_connect.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "plugin/io/dialer.h"

namespace predial {
namespace {

// The channel has failed already: it answers at once.
constexpr Duration kReasonTimeout = std::chrono::seconds(1);

// What gRPC's cause leaves open.
const char* WhatFailed(DialResult result) {
  switch (result) {
    case DialResult::kHandshake:
      return "connected, but the TLS handshake failed: ";
    case DialResult::kNotHttp2:
      return "connected, but not to an HTTP/2 server, or to one that closed at once: ";
    default:
      return "";
  }
}

}  // namespace

DialResult ResultOfGrpcError(absl::string_view message, bool secure, bool dialed) {
  // gRPC 1.51's texts.
  if (!dialed) {
    if (absl::StrContains(message, "Connection refused")) return DialResult::kRefused;
    if (absl::StrContains(message, "unreachable") ||
        absl::StrContains(message, "No such file or directory")) {
      return DialResult::kUnreachable;
    }
    if (absl::StrContains(message, "Too many open files")) return DialResult::kLocalLimit;
    if (absl::StrContains(message, "connect() timed out")) return DialResult::kTimeout;
    if (absl::StrContains(message, "Failed to connect to remote host") ||
        absl::StrContains(message, "DNS resolution failed")) {
      return DialResult::kError;
    }
  }
  return secure ? DialResult::kHandshake : DialResult::kNotHttp2;
}

ChannelConnect::ChannelConnect(EventLoop& loop, GrpcPoller& poller,
                               std::shared_ptr<grpc::Channel> channel, const Options& options,
                               Done done)
    : loop_(loop),
      poller_(poller),
      channel_(std::move(channel)),
      options_(options),
      done_(std::move(done)),
      deadline_(loop.Now() + options.timeout),
      urgent_(std::in_place, poller) {
  channel_->GetState(/*try_to_connect=*/true);
  look_ = loop_.RunAt(loop_.Now() + wait_, [this] { Look(); });
}

ChannelConnect::~ChannelConnect() { loop_.Cancel(look_); }

void ChannelConnect::Look() {
  look_ = EventLoop::TimerId::kNone;
  switch (channel_->GetState(/*try_to_connect=*/true)) {
    case GRPC_CHANNEL_READY:
      return Finish(absl::OkStatus());
    case GRPC_CHANNEL_TRANSIENT_FAILURE:
    case GRPC_CHANNEL_SHUTDOWN:
      return AskForReason();
    case GRPC_CHANNEL_IDLE:
    case GRPC_CHANNEL_CONNECTING:
      break;
  }
  const Time now = loop_.Now();
  if (now >= deadline_) {
    const std::string after =
        absl::StrCat(" within ", absl::FormatDuration(absl::FromChrono(options_.timeout)));
    const bool handshake = options_.dialed && options_.secure;
    return Finish(
        DialError(handshake ? DialResult::kHandshake : DialResult::kTimeout,
                  absl::StrCat(!options_.dialed  ? "no connection"
                               : options_.secure ? "connected, but the TLS handshake did not end"
                                                 : "connected, but no HTTP/2 SETTINGS came",
                               after)));
  }
  wait_ = std::min(2 * wait_, kLookMax);
  look_ = loop_.RunAt(std::min(now + wait_, deadline_), [this] { Look(); });
}

void ChannelConnect::AskForReason() {
  question_ = HealthCheck::Start(
      loop_, poller_, channel_, /*service=*/"", kReasonTimeout, [this](HealthResult) {
        // It may have connected meanwhile.
        if (channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY) {
          return Finish(absl::OkStatus());
        }
        const std::string& cause = question_->status().error_message();
        const DialResult result = ResultOfGrpcError(cause, options_.secure, options_.dialed);
        Finish(DialError(result, absl::StrCat(WhatFailed(result), cause)));
      });
}

void ChannelConnect::Finish(absl::Status status) {
  urgent_.reset();
  auto done = std::move(done_);
  done(std::move(status));  // may destroy this
}

}  // namespace predial
