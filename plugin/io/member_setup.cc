#include "plugin/io/member_setup.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/io/dialer.h"

namespace predial {

MemberSetup::MemberSetup(EventLoop& loop, GrpcPoller& poller, SocketPool& sockets, Options options,
                         absl::AnyInvocable<void()> on_closed, Done done)
    : loop_(loop),
      poller_(poller),
      options_(std::move(options)),
      done_(std::move(done)),
      closed_(std::make_shared<Closed>(Closed{this, std::move(on_closed)})) {
  checkout_ =
      sockets.Take([this](absl::StatusOr<DialedSocket> taken) { OnTaken(std::move(taken)); });
}

void MemberSetup::OnTaken(absl::StatusOr<DialedSocket> taken) {
  checkout_.reset();
  if (!taken.ok()) return Finish(taken.status());
  connected_ = true;
  fd_ = std::move(taken->fd);
  member_.dial_began = taken->dial_began;
  preface_ = std::make_unique<PrefaceWait>(
      loop_, fd_.get(), options_.settings_wait,
      [this](absl::StatusOr<ServerPreface> preface) { OnPreface(std::move(preface)); });
}

void MemberSetup::OnPreface(absl::StatusOr<ServerPreface> preface) {
  preface_.reset();
  if (!preface.ok()) return Fail(DialResultOf(preface.status()), preface.status().message());
  if (preface->kind == ServerPreface::Kind::kOther) {
    return Fail(DialResult::kNotHttp2,
                absl::StrCat("not an HTTP/2 server: it sent ", preface->description));
  }
  // Watched before gRPC has it: from then on the descriptor is gRPC's to close.
  auto watch = ConnectionWatch::Create(loop_, fd_.get(), [closed = closed_] {
    if (closed->setup != nullptr) {
      closed->setup->Fail(DialResult::kNotHttp2,
                          "not an HTTP/2 server: it closed the connection when HTTP/2 was spoken");
    } else {
      closed->on_closed();
    }
  });
  if (!watch.ok()) return Fail(DialResultOf(watch.status()), watch.status().message());
  member_.watch = *std::move(watch);
  member_.stream_limit = preface->max_concurrent_streams.value_or(0);
  member_.channel = options_.wrap(std::move(fd_));
  const bool http2 = preface->kind == ServerPreface::Kind::kHttp2;
  if (http2 && !options_.prime) return Succeed();
  Prime(http2);
}

void MemberSetup::Prime(bool http2) {
  prime_ = HealthCheck::Start(
      loop_, poller_, member_.channel, options_.health_service, options_.health_timeout,
      [this, http2](HealthResult result) {
        prime_.reset();
        if (result == HealthResult::kServing || result == HealthResult::kUnimplemented) {
          return Succeed();
        }
        if (http2) return Fail(DialResult::kTimeout, "connected, but it answers no health check");
        Fail(DialResult::kNotHttp2,
             "connected, but it sent no SETTINGS, and to a health check no good answer: not an "
             "HTTP/2 server, or one that is not serving");
      });
}

void MemberSetup::Succeed() {
  closed_->setup = nullptr;
  Finish(std::move(member_));
}

void MemberSetup::Fail(DialResult result, absl::string_view cause) {
  Finish(DialError(result, absl::StrCat(options_.endpoint, ": ", cause)));
}

void MemberSetup::Finish(absl::StatusOr<ReadyMember> result) {
  if (!result.ok()) {
    // What is left of it goes before anybody is told. The watch may be the caller: it survives its
    // own destruction.
    prime_.reset();
    member_ = ReadyMember();
    fd_.Reset();
  }
  auto done = std::move(done_);
  done(std::move(result));  // may destroy this
}

}  // namespace predial
