#include "plugin/io/member_setup.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/io/dialer.h"

namespace predial {

MemberSetup::MemberSetup(EventLoop& loop, GrpcPoller& poller, SocketPool* sockets, Options options,
                         absl::AnyInvocable<void()> on_closed, Done done)
    : loop_(loop),
      poller_(poller),
      sockets_(sockets),
      options_(std::move(options)),
      done_(std::move(done)),
      closed_(std::make_shared<Closed>(Closed{this, std::move(on_closed)})) {
  if (sockets_ != nullptr) {
    Take();
  } else {
    member_.dial_began = loop_.Now();
    member_.channel = options_.wrap(nullptr).channel;
    Connect();
  }
}

void MemberSetup::Take() {
  checkout_ =
      sockets_->Take([this](absl::StatusOr<DialedSocket> taken) { OnTaken(std::move(taken)); });
}

void MemberSetup::OnTaken(absl::StatusOr<DialedSocket> taken) {
  checkout_.reset();
  if (!taken.ok()) return Finish(taken.status());
  if (options_.keep != nullptr && options_.keep(*taken)) return Take();
  connected_ = true;
  socket_ = *std::move(taken);
  member_.dial_began = socket_->dial_began;
  // Under TLS the server waits for the client to speak.
  if (options_.managed && options_.managed->secure) return Wrap(/*http2=*/false);
  preface_ = std::make_unique<PrefaceWait>(
      loop_, socket_->fd.get(), options_.settings_wait,
      [this](absl::StatusOr<ServerPreface> preface) { OnPreface(std::move(preface)); });
}

void MemberSetup::OnPreface(absl::StatusOr<ServerPreface> preface) {
  preface_.reset();
  if (!preface.ok()) return Fail(DialResultOf(preface.status()), preface.status().message());
  if (preface->kind == ServerPreface::Kind::kOther) {
    return Fail(DialResult::kNotHttp2,
                absl::StrCat("not an HTTP/2 server: it sent ", preface->description));
  }
  const bool http2 = preface->kind == ServerPreface::Kind::kHttp2;
  member_.stream_limit = preface->max_concurrent_streams.value_or(0);
  member_.stream_limit_known = http2;
  Wrap(http2);
}

void MemberSetup::Wrap(bool http2) {
  // Watched before gRPC has it: from then on the descriptor is gRPC's to close.
  auto watch = ConnectionWatch::Create(loop_, socket_->fd.get(), [closed = closed_] {
    if (closed->setup != nullptr) {
      closed->setup->OnClosedEarly();
    } else {
      closed->on_closed();
    }
  });
  if (!watch.ok()) return Fail(DialResultOf(watch.status()), watch.status().message());
  member_.watch = *std::move(watch);
  Wrapped wrapped = options_.wrap(&*socket_);
  member_.channel = std::move(wrapped.channel);
  adoption_ = std::move(wrapped.adoption);
  if (options_.managed) return Connect();
  if (http2 && !options_.prime) return Succeed();
  Prime(http2);
}

void MemberSetup::OnClosedEarly() {
  // gRPC sees it, too, and will tell why the handshake failed; or it dials anew.
  if (connect_ != nullptr) {
    closed_early_ = true;
    return;
  }
  Fail(DialResult::kNotHttp2,
       options_.managed ? "it closed the connection at once"
                        : "not an HTTP/2 server: it closed the connection when HTTP/2 was spoken");
}

void MemberSetup::Connect() {
  connect_ = std::make_unique<ChannelConnect>(
      loop_, poller_, member_.channel,
      ChannelConnect::Options{options_.managed->connect_timeout, options_.managed->secure,
                              /*dialed=*/adoption_ != nullptr},
      [this](absl::Status status) {
        connect_.reset();
        const DialResult result = DialResultOf(status);
        connected_ |= result == DialResult::kOk || result == DialResult::kHandshake ||
                      result == DialResult::kNotHttp2;
        if (!status.ok()) return Fail(result, status.message());
        // gRPC has dialed another one, or will soon be seen to have lost this one.
        const bool adopted =
            adoption_ != nullptr && !adoption_->Withdraw().valid() && !closed_early_;
        if (!adopted) member_.watch.reset();
        if (!options_.prime) return Succeed();
        Prime(/*http2=*/true);
      });
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
    connect_.reset();
    prime_.reset();
    member_ = ReadyMember();
    socket_.reset();
  }
  auto done = std::move(done_);
  done(std::move(result));  // may destroy this
}

}  // namespace predial
