#include "plugin/io/tcp_dialer.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugin/io/connect_attempt.h"
#include "plugin/io/dial_socket.h"

namespace predial {
namespace {

// One dial: the race of its addresses.
class Race : public PendingDial {
 public:
  // Starts the first attempt.
  Race(EventLoop& loop, const SocketOptions& options, const std::vector<Address>& addresses,
       Dialer::Done done);
  ~Race() override { Disarm(); }

 private:
  void StartNext();
  // False if it failed before it began; the cause is then noted.
  bool Start(size_t index);
  void OnAttemptEnded(size_t index, absl::StatusOr<UniqueFd> connected);
  void OnDeadline();
  void Fail();
  void Disarm();

  EventLoop& loop_;
  const SocketOptions options_;
  const std::vector<Address> addresses_;
  Dialer::Done done_;

  size_t next_ = 0;                                        // of addresses_, to be tried
  size_t running_ = 0;                                     // attempts under way
  std::vector<std::unique_ptr<ConnectAttempt>> attempts_;  // by address; null if not under way
  std::vector<absl::Status> causes_;                       // in the order of the failures

  EventLoop::TimerId deadline_timer_ = EventLoop::TimerId::kNone;
  EventLoop::TimerId delay_timer_ = EventLoop::TimerId::kNone;  // the next address's turn
  EventLoop::TimerId fail_timer_ = EventLoop::TimerId::kNone;   // Fail(), never within Dial()
};

// Whether the local address is of the other family.
bool SourceExcludes(const SocketOptions& options, const Address& address) {
  if (options.source_address.empty()) return false;
  const bool source_is_ipv6 = absl::StrContains(options.source_address, ':');
  return address.family() == (source_is_ipv6 ? AF_INET : AF_INET6);
}

// The one that says most about why none of the addresses could be reached. kUnreachable comes last:
// a host without IPv6 meets it with every dual-stack name.
DialResult ResultOfAll(const std::vector<absl::Status>& causes) {
  for (DialResult result :
       {DialResult::kLocalLimit, DialResult::kRefused, DialResult::kTimeout, DialResult::kError}) {
    for (const absl::Status& cause : causes) {
      if (DialResultOf(cause) == result) return result;
    }
  }
  return causes.empty() ? DialResult::kError : DialResult::kUnreachable;
}

Race::Race(EventLoop& loop, const SocketOptions& options, const std::vector<Address>& addresses,
           Dialer::Done done)
    : loop_(loop),
      options_(options),
      addresses_(addresses),
      done_(std::move(done)),
      attempts_(addresses.size()) {
  deadline_timer_ = loop_.RunAt(loop_.Now() + absl::ToChronoNanoseconds(options_.connect_timeout),
                                [this] { OnDeadline(); });
  StartNext();
}

void Race::StartNext() {
  loop_.Cancel(std::exchange(delay_timer_, EventLoop::TimerId::kNone));
  while (next_ < addresses_.size() && !Start(next_++)) {
  }
  if (running_ == 0) {
    fail_timer_ = loop_.RunAt(loop_.Now(), [this] { Fail(); });
  } else if (next_ < addresses_.size()) {
    delay_timer_ = loop_.RunAt(loop_.Now() + absl::ToChronoNanoseconds(options_.attempt_delay),
                               [this] { StartNext(); });
  }
}

bool Race::Start(size_t index) {
  const Address& address = addresses_[index];
  if (SourceExcludes(options_, address)) {
    causes_.push_back(DialError(
        DialResult::kUnreachable,
        absl::StrCat(address.ToString(), ": not tried: not of the family of source_address ",
                     options_.source_address)));
    return false;
  }
  absl::StatusOr<UniqueFd> socket = OpenDialSocket(options_, address);
  if (!socket.ok()) {
    causes_.push_back(socket.status());
    return false;
  }
  ++running_;
  attempts_[index] = std::make_unique<ConnectAttempt>(
      loop_, *std::move(socket), address, [this, index](absl::StatusOr<UniqueFd> connected) {
        OnAttemptEnded(index, std::move(connected));
      });
  return true;
}

void Race::OnAttemptEnded(size_t index, absl::StatusOr<UniqueFd> connected) {
  --running_;
  attempts_[index].reset();
  if (!connected.ok()) {
    causes_.push_back(connected.status());
    if (next_ < addresses_.size() || running_ == 0) StartNext();
    return;
  }
  Disarm();
  Dialer::Done done = std::move(done_);
  done(DialedSocket{*std::move(connected), addresses_[index]});  // may destroy this
}

void Race::OnDeadline() {
  const std::string waited = absl::FormatDuration(options_.connect_timeout);
  for (size_t i = 0; i < addresses_.size(); ++i) {
    if (attempts_[i] == nullptr && i < next_) continue;  // has its cause
    causes_.push_back(DialError(
        DialResult::kTimeout, absl::StrCat(addresses_[i].ToString(),
                                           i < next_ ? ": no answer within the connect_timeout of "
                                                     : ": not tried within the connect_timeout of ",
                                           waited)));
  }
  Fail();
}

void Race::Fail() {
  Disarm();
  const std::string message =
      causes_.empty() ? "no address to dial"
                      : absl::StrJoin(causes_, "; ", [](std::string* out, const auto& cause) {
                          absl::StrAppend(out, cause.message());
                        });
  Dialer::Done done = std::move(done_);
  done(DialError(ResultOfAll(causes_), message));  // may destroy this
}

void Race::Disarm() {
  attempts_.clear();
  loop_.Cancel(std::exchange(deadline_timer_, EventLoop::TimerId::kNone));
  loop_.Cancel(std::exchange(delay_timer_, EventLoop::TimerId::kNone));
  loop_.Cancel(std::exchange(fail_timer_, EventLoop::TimerId::kNone));
}

class TcpDialer : public Dialer {
 public:
  explicit TcpDialer(SocketOptions options) : options_(std::move(options)) {}

  std::unique_ptr<PendingDial> Dial(EventLoop& loop, const std::vector<Address>& addresses,
                                    Done done) override {
    return std::make_unique<Race>(loop, options_, addresses, std::move(done));
  }

 private:
  const SocketOptions options_;
};

}  // namespace

std::shared_ptr<Dialer> CreateTcpDialer(SocketOptions options) {
  return std::make_shared<TcpDialer>(std::move(options));
}

}  // namespace predial
