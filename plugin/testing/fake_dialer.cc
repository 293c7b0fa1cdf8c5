#include "plugin/testing/fake_dialer.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"

namespace predial {
namespace {

struct Outcome {
  DialResult result = DialResult::kOk;
  Duration after = Duration::zero();
};

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "FakeDialer: %s\n", what);
  std::abort();
}

}  // namespace

struct FakeDialer::State {
  std::deque<Outcome> script;
  Outcome otherwise;
  int pending = 0;
  int cancelled = 0;
  struct Connection {
    int client = -1;
    UniqueFd server_end;
  };
  std::vector<Connection> connections;  // by dial; invalid if it did not succeed
};

class FakeDialer::FakeDial : public PendingDial {
 public:
  FakeDial(std::shared_ptr<State> state, EventLoop& loop, const Address& peer, Done done)
      : state_(std::move(state)), loop_(loop), peer_(peer), done_(std::move(done)) {
    Outcome outcome = state_->otherwise;
    if (!state_->script.empty()) {
      outcome = state_->script.front();
      state_->script.pop_front();
    }
    ++state_->pending;
    index_ = state_->connections.size();
    state_->connections.emplace_back();
    if (outcome.after == kNever) return;
    timer_ = loop_.RunAt(loop_.Now() + outcome.after, [this, outcome] { Finish(outcome.result); });
  }

  ~FakeDial() override {
    loop_.Cancel(timer_);
    if (done_ == nullptr) return;
    --state_->pending;
    ++state_->cancelled;
  }

 private:
  void Finish(DialResult result) {
    --state_->pending;
    Done done = std::exchange(done_, nullptr);
    done(Connect(result));  // may destroy this
  }

  absl::StatusOr<DialedSocket> Connect(DialResult result) {
    if (result != DialResult::kOk) {
      return DialError(result, absl::StrCat(peer_.ToString(), ": scripted: ", ToString(result)));
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
      Die(std::strerror(errno));
    }
    state_->connections[index_] = {ends[0], UniqueFd(ends[1])};
    return DialedSocket{UniqueFd(ends[0]), peer_};
  }

  const std::shared_ptr<State> state_;
  EventLoop& loop_;
  const Address peer_;
  Done done_;
  size_t index_;
  EventLoop::TimerId timer_ = EventLoop::TimerId::kNone;
};

FakeDialer::FakeDialer() : state_(std::make_shared<State>()) {}
FakeDialer::~FakeDialer() = default;

void FakeDialer::Then(DialResult result, Duration after) {
  state_->script.push_back({result, after});
}

void FakeDialer::Otherwise(DialResult result, Duration after) {
  state_->otherwise = {result, after};
}

int FakeDialer::dials() const { return static_cast<int>(state_->connections.size()); }
int FakeDialer::pending() const { return state_->pending; }
int FakeDialer::cancelled() const { return state_->cancelled; }

int FakeDialer::dialed_fd(int index) const {
  if (index < 0 || index >= dials()) Die("no such dial");
  return state_->connections[index].client;
}

UniqueFd& FakeDialer::server_end(int index) {
  if (index < 0 || index >= dials()) Die("no such dial");
  return state_->connections[index].server_end;
}

std::unique_ptr<PendingDial> FakeDialer::Dial(EventLoop& loop,
                                              const std::vector<Address>& addresses, Done done) {
  return std::make_unique<FakeDial>(state_, loop, addresses.at(0), std::move(done));
}

}  // namespace predial
