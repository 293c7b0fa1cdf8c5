#include "plugin/io/resolver.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "plugin/io/lookup.h"
#include "plugin/mutex.h"

namespace predial {
namespace {

std::vector<Address> WithoutDuplicates(const std::vector<Address>& addresses) {
  std::vector<Address> unique;
  for (const Address& address : addresses) {
    if (std::find(unique.begin(), unique.end(), address) == unique.end()) {
      unique.push_back(address);
    }
  }
  return unique;
}

std::vector<ResolvedEndpoint> OneEach(const std::vector<Address>& addresses) {
  std::vector<ResolvedEndpoint> endpoints;
  for (const Address& address : WithoutDuplicates(addresses)) endpoints.push_back({{address}});
  return endpoints;
}

std::vector<ResolvedEndpoint> OfOneName(const std::vector<Address>& addresses) {
  std::vector<Address> unique = WithoutDuplicates(addresses);
  if (unique.size() == 2 && unique[0].family() != unique[1].family()) {
    return {{std::move(unique)}};
  }
  return OneEach(unique);
}

class LiteralResolver : public Resolver {
 public:
  LiteralResolver(EventLoop& loop, const Target& target) : loop_(loop), target_(target) {}
  ~LiteralResolver() override { loop_.Cancel(timer_); }

  void Start(Callback callback) override {
    assert(timer_ == EventLoop::TimerId::kNone);
    timer_ = loop_.RunAt(loop_.Now(), [this, callback = std::move(callback)]() mutable {
      Callback local = std::move(callback);  // may destroy this
      local(Endpoints());
    });
  }
  void ResolveNow() override {}

 private:
  absl::StatusOr<std::vector<ResolvedEndpoint>> Endpoints() const {
    if (target_.kind == Target::Kind::kWhole) {
      return std::vector<ResolvedEndpoint>{{{}, target_.text}};
    }
    std::vector<Address> addresses;
    for (const std::string& text : target_.addresses) {
      absl::StatusOr<Address> address = Address::Parse(text);
      if (!address.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("target ", target_.text, ": ", address.status().message()));
      }
      addresses.push_back(*address);
    }
    if (addresses.empty()) {
      return absl::NotFoundError(absl::StrCat("target ", target_.text, " has no address"));
    }
    return OneEach(addresses);
  }

  EventLoop& loop_;
  const Target target_;
  EventLoop::TimerId timer_ = EventLoop::TimerId::kNone;
};

class DnsResolver : public Resolver {
 public:
  DnsResolver(EventLoop& loop, const Target& target, Duration interval, LookupFunction lookup)
      : loop_(loop),
        host_(target.host),
        port_(target.port),
        interval_(std::max(interval, kResolveSpacing)),
        lookup_(std::move(lookup)) {}
  ~DnsResolver() override {
    loop_.Cancel(timer_);
    if (query_ != nullptr) query_->Cancel();
  }

  void Start(Callback callback) override {
    assert(callback_ == nullptr);
    callback_ = std::make_shared<Callback>(std::move(callback));
    StartLookup();
  }

  void ResolveNow() override {
    if (callback_ == nullptr || query_ != nullptr) return;
    const Time earliest = std::max(loop_.Now(), ended_ + kResolveSpacing);
    if (earliest < next_) StartLookupAt(earliest);
  }

 private:
  using Addresses = absl::StatusOr<std::vector<Address>>;

  // One lookup; shared with its thread.
  class Query {
   public:
    Query(EventLoop& loop, DnsResolver* resolver) : resolver_(resolver), loop_(&loop) {}

    // On the loop's thread.
    void Cancel() ABSL_LOCKS_EXCLUDED(mutex_) {
      resolver_ = nullptr;
      MutexLock lock(mutex_);
      loop_ = nullptr;
    }
    bool cancelled() ABSL_LOCKS_EXCLUDED(mutex_) {
      MutexLock lock(mutex_);
      return loop_ == nullptr;
    }
    // Posts under the lock, which nobody else holds for longer than an assignment: Cancel() must
    // not return, and the loop not end, in the middle of it.
    static void Deliver(const std::shared_ptr<Query>& query, Addresses addresses)
        ABSL_LOCKS_EXCLUDED(query->mutex_) {
      MutexLock lock(query->mutex_);
      if (query->loop_ == nullptr) return;
      query->loop_->Post([query, addresses = std::move(addresses)]() mutable {
        if (query->resolver_ != nullptr) query->resolver_->OnLookedUp(std::move(addresses));
      });
    }

   private:
    DnsResolver* resolver_;  // of the loop's thread; null when cancelled
    Mutex mutex_;
    EventLoop* loop_ ABSL_GUARDED_BY(mutex_);  // null when cancelled
  };

  void StartLookupAt(Time when) {
    loop_.Cancel(timer_);
    next_ = when;
    timer_ = loop_.RunAt(when, [this] { StartLookup(); });
  }

  void StartLookup() {
    query_ = std::make_shared<Query>(loop_, this);
    RunOnLookupThread([query = query_, lookup = lookup_, host = host_,
                       port = port_](absl::Status status) mutable {
      if (query->cancelled()) return;
      Addresses addresses = status.ok() ? lookup(host, port) : Addresses(std::move(status));
      Query::Deliver(query, std::move(addresses));
    });
  }

  void OnLookedUp(Addresses addresses) {
    std::exchange(query_, nullptr)->Cancel();  // waits until its thread is out of Post()
    ended_ = loop_.Now();
    StartLookupAt(ended_ + interval_);
    const std::shared_ptr<Callback> callback = callback_;  // may destroy this
    if (!addresses.ok()) {
      (*callback)(addresses.status());
    } else if (addresses->empty()) {
      (*callback)(absl::NotFoundError(absl::StrCat("looking up ", host_, ": it has no address")));
    } else {
      (*callback)(OfOneName(*addresses));
    }
  }

  EventLoop& loop_;
  const std::string host_;
  const std::string port_;
  const Duration interval_;
  const LookupFunction lookup_;

  std::shared_ptr<Callback> callback_;  // null before Start()
  std::shared_ptr<Query> query_;        // null while no lookup is under way
  EventLoop::TimerId timer_ = EventLoop::TimerId::kNone;
  Time next_;   // timer_'s
  Time ended_;  // the last lookup
};

}  // namespace

std::string ResolvedEndpoint::Key() const {
  if (!target.empty()) return target;
  std::vector<std::string> texts;
  for (const Address& address : addresses) texts.push_back(address.ToString());
  std::sort(texts.begin(), texts.end());
  return absl::StrJoin(texts, "|");
}

std::unique_ptr<Resolver> CreateResolver(EventLoop& loop, const Target& target, Duration interval) {
  return CreateResolver(loop, target, interval, &LookupBySystem);
}

std::unique_ptr<Resolver> CreateResolver(EventLoop& loop, const Target& target, Duration interval,
                                         LookupFunction lookup) {
  if (target.kind != Target::Kind::kDns) {
    return std::make_unique<LiteralResolver>(loop, target);
  }
  return std::make_unique<DnsResolver>(loop, target, interval, std::move(lookup));
}

}  // namespace predial
