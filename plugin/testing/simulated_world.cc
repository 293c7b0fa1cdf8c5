// The core, what it orders, and what has to hold.
#include "plugin/testing/simulated_world.h"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "plugin/core/action.h"
#include "plugin/core/member.h"

namespace predial {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kEventsKept = 50;
constexpr Duration kAttentionSpacing = milliseconds(10);
constexpr Duration kConnectTimeout = seconds(1);
constexpr Duration kCheckTimeout = seconds(1);
constexpr Duration kQuickCheck = milliseconds(300);

uint64_t Number(MemberId id) { return static_cast<uint64_t>(id); }

}  // namespace

void SimulatedWorld::RunUntil(Time end) {
  while (result_.failure.empty() && !queue_.empty() && queue_.begin()->first <= end) {
    auto next = queue_.extract(queue_.begin());
    now_ = std::max(now_, next.key());
    next.mapped()();
  }
  now_ = std::max(now_, end);
}

void SimulatedWorld::Tell(const char* what, uint64_t id, Actions actions) {
  ++result_.events;
  // Ticks at which nothing was to be done tell nothing.
  if (id != 0 || !actions.empty()) events_.push_back({now_, what, id, actions});
  if (events_.size() > kEventsKept) events_.pop_front();
  for (const Action& action : actions) {
    std::visit([this](const auto& order) { Do(order); }, action);
    if (!result_.failure.empty()) return;
  }
  CheckInvariants();
  ScheduleTick();
}

void SimulatedWorld::Tick() {
  if (shut_down_) return;
  if (now_ - ticks_since_ >= seconds(1)) {
    ticks_since_ = now_;
    ticks_ = 0;
  }
  if (++ticks_ > kTicksMax + DialsMax()) Fail("too many ticks in a second");
  const LoadSample load = Sample();
  anchor_rpcs_ = 0;
  Tell("tick", 0, core_.OnTick(now_, load));
  if (core_.NextTick(now_) <= now_) Fail("a tick is due again at once");
}

int64_t SimulatedWorld::DialsMax() const {
  const BackoffPolicy& backoff = policy_.backoff;
  const auto wait = std::chrono::duration<double>(std::min(backoff.initial, backoff.under_demand));
  return static_cast<int64_t>(core_.endpoints().size() / (wait.count() * (1 - backoff.jitter)));
}

void SimulatedWorld::ScheduleTick() {
  const Time next = core_.NextTick(now_);
  if (next == tick_at_) return;
  tick_at_ = next;
  if (next == Time::max()) return;
  At(next, [this, next] {
    if (tick_at_ != next) return;  // it was moved
    tick_at_ = Time::max();
    Tick();
  });
}

void SimulatedWorld::Attention() {
  if (now_ < attention_at_) return;
  attention_at_ = now_ + kAttentionSpacing;
  At(attention_at_, [this] { Tick(); });
  Tick();
}

LoadSample SimulatedWorld::Sample() const {
  LoadSample load;
  for (const auto& [id, connection] : connections_) {
    if (!connection.open) continue;
    load.members.push_back(
        {id, connection.in_flight, connection.rpcs, connection.proved && connection.streak == 0});
    load.blocking += connection.in_flight;
  }
  load.anchor_rpcs = anchor_rpcs_;
  load.anchor_in_flight = anchor_in_flight_;
  return load;
}

SimulatedWorld::Connection* SimulatedWorld::Find(MemberId id) {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : &found->second;
}

SimulatedWorld::Connection& SimulatedWorld::Known(MemberId id, const char* order) {
  static Connection none;
  if (Connection* connection = Find(id)) return *connection;
  Fail(absl::StrCat(order, " names member ", Number(id), ", which there is not"));
  return none;
}

void SimulatedWorld::Do(const AddEndpoint& order) {
  if (watchers_.count(order.endpoint) > 0) Fail("an endpoint is added twice");
  watchers_[order.endpoint].key = order.key;
  if (policy_.health.enabled) In(milliseconds(20), [this, order] { Look(order.endpoint); });
}

void SimulatedWorld::Do(const RetireEndpoint& order) {
  if (watchers_.count(order.endpoint) == 0 || watchers_[order.endpoint].retired) {
    Fail("an endpoint is retired that is not in use");
  }
  watchers_[order.endpoint].retired = true;
}

void SimulatedWorld::Do(const RemoveEndpoint& order) {
  for (const auto& [id, connection] : connections_) {
    if (connection.endpoint == order.endpoint) Fail("an endpoint with members is removed");
  }
  if (watchers_.erase(order.endpoint) == 0) Fail("an endpoint is removed that there is not");
}

void SimulatedWorld::Do(const Connect& order) {
  const MemberId id = order.member;
  if (Number(id) <= last_member_) Fail("the id of a new member was used before");
  last_member_ = Number(id);
  if (suspended_ || shut_down_) Fail("Connect while suspended or shut down");
  const auto watcher = watchers_.find(order.endpoint);
  if (watcher == watchers_.end() || watcher->second.retired) {
    return Fail("Connect to an endpoint that is not in use");
  }
  ++result_.connects;
  Connection& connection = connections_[id];
  connection.endpoint = order.endpoint;
  connection.key = watcher->second.key;
  connection.prime = order.prime;
  const Server& server = servers_.at(connection.key);
  // One that hangs may have shown its SETTINGS on a spare before.
  const bool at_once = server.answers() || !server.up || (server.hangs && Chance(0.3));
  In(at_once ? Between(milliseconds(1), milliseconds(20)) : kConnectTimeout,
     [this, id] { OnDialed(id); });
}

void SimulatedWorld::OnDialed(MemberId id) {
  Connection* connection = Find(id);
  if (connection == nullptr) return;  // closed meanwhile
  const Server& server = servers_.at(connection->key);
  const bool spare = server.hangs && server.up && !server.blackhole && !connection->prime;
  if (!server.answers() && !(spare && Chance(0.3))) {
    const DialResult result = server.up ? DialResult::kTimeout : DialResult::kRefused;
    return Tell("connect failed", Number(id), core_.OnConnectFailed(now_, id, result));
  }
  if (troubled_ && options_.crashes && Chance(0.01)) {
    return Tell("connect failed here", Number(id),
                core_.OnConnectFailed(now_, id, DialResult::kLocalLimit));
  }
  connection->open = true;
  connection->opened = connection->heard = now_;
  if (server.age_limit != Duration::max()) {
    const Time opened = now_;
    In(server.age_limit * (90 + Below(21)) / 100, [this, id, opened] {
      Connection* aged = Find(id);
      if (aged == nullptr || aged->opened != opened) return;
      if (!aged->draining) ++result_.ended_by_limit;
      End(id);
    });
  }
  Tell("ready", Number(id), core_.OnReady(now_, id, Chance(0.3) ? 5 + Below(100) : 0));
}

void SimulatedWorld::End(MemberId id) {
  Connection* connection = Find(id);
  if (connection == nullptr || !connection->open) return;
  const ConnectionEnd end = {connection->proved, connection->rpcs, connection->in_flight};
  Tell("peer closed", Number(id), core_.OnPeerClosed(now_, id, end));
}

void SimulatedWorld::Do(const Drain& order) {
  Connection& connection = Known(order.member, "Drain");
  if (!connection.open || connection.draining) Fail("Drain of a member that is not in use");
  connection.draining = true;
  if (connection.in_flight == 0) PostIdle(order.member);
}

void SimulatedWorld::PostIdle(MemberId id) {
  In(Duration(0), [this, id] {
    Connection* connection = Find(id);
    if (connection == nullptr || connection->in_flight > 0) return;
    Tell("drained", Number(id), core_.OnDrained(now_, id));
  });
}

void SimulatedWorld::Do(const Close& order) {
  if (connections_.erase(order.member) == 0) Known(order.member, "Close");
}

void SimulatedWorld::Do(const Check& order) {
  Connection& connection = Known(order.member, "Check");
  const MemberId id = order.member;
  if (!connection.open) Fail("Check of a member that is not connected");
  if (connection.check != 0 && !order.quick) Fail("Check while one is under way");
  const uint64_t check = connection.check = ++checks_;
  const bool answers = servers_.at(connection.key).answers();
  const Duration wait = order.quick ? kQuickCheck : kCheckTimeout;
  In(answers ? Between(milliseconds(1), milliseconds(20)) : wait, [this, id, check, answers] {
    Connection* checked = Find(id);
    if (checked == nullptr || checked->check != check) return;
    checked->check = 0;
    const Server& server = servers_.at(checked->key);
    HealthResult result = HealthResult::kNoAnswer;
    if (answers && server.answers()) {
      result = server.serving ? HealthResult::kServing : HealthResult::kNotServing;
      checked->heard = now_;
    }
    Tell("checked", Number(id), core_.OnChecked(now_, id, result));
  });
}

void SimulatedWorld::Do(const Cut& order) {
  if (!Known(order.member, "Cut").draining) Fail("Cut of a member that is not draining");
  In(Duration(0), [this, id = order.member] { End(id); });
}

void SimulatedWorld::Do(const LimitRpcs& order) {
  Connection& connection = Known(order.member, "LimitRpcs");
  connection.worn_at = order.worn_at;
  connection.rpcs_max = order.max;
}

void SimulatedWorld::Do(const SetSpares& order) {
  if (watchers_.count(order.endpoint) == 0) Fail("SetSpares of an endpoint that there is not");
  if (order.count < 0 || order.count > policy_.spares) Fail("SetSpares out of range");
}

void SimulatedWorld::Do(const Publish& order) {
  published_ = order.members;
  if (published_.size() > 4 * static_cast<size_t>(policy_.sizing.max)) Fail("Publish of too many");
}

void SimulatedWorld::CheckInvariants() {
  if (core_.members().size() != connections_.size()) return Fail("members come or go unordered");
  int connected = 0;
  int connecting_now = 0;
  for (const auto& [id, member] : core_.members()) {
    const Connection* connection = Find(id);
    if (connection == nullptr) return Fail("a member was never ordered");
    const bool connecting = member.state() == MemberState::kConnecting;
    if (connecting == connection->open) return Fail("connecting and connected do not agree");
    if ((member.state() == MemberState::kDraining) != connection->draining) {
      return Fail("a member drains that was not ordered to");
    }
    if (member.check_pending != (connection->check != 0) && !connection->draining) {
      return Fail("a check is awaited that is not under way, or the other way round");
    }
    connecting_now += connecting ? 1 : 0;
    connected += !connecting && !connection->draining ? 1 : 0;
  }
  const int max = policy_.sizing.max;
  if (connected > max) return Fail("more members than the maximum");
  if (connected + connecting_now > max + 1) return Fail("more members on the way than may be");
  for (const MemberId id : published_) {
    const auto member = core_.members().find(id);
    if (member == core_.members().end()) return Fail("published, but gone");
    const MemberState state = member->second.state();
    if (state != MemberState::kReady && !(core_.panic() && state == MemberState::kEjected)) {
      return Fail("published, but neither ready nor ejected in panic");
    }
  }
  const bool ready = state_ == PoolState::kReady;
  if (ready != (!published_.empty() && !suspended_ && !shut_down_)) {
    return Fail("READY and published members do not agree");
  }
  if (core_.log().decisions().size() > 500) return Fail("the log grows");
}

std::string SimulatedWorld::Ailment() const {
  const std::set<MemberId> published(published_.begin(), published_.end());
  if (state_ != PoolState::kReady) return "it is not READY";
  if (core_.panic()) return "it panics";
  if (static_cast<int>(published.size()) < core_.wanted()) return "members are missing";
  for (const auto& [id, endpoint] : core_.endpoints()) {
    if (!endpoint.listed) continue;
    if (endpoint.suspect) return "an endpoint is suspect";
    if (endpoint.half_open || endpoint.ejected) return "an endpoint is ejected or half open";
    if (!endpoint.serving) return "an endpoint is not serving";
    if (endpoint.failures > 0) return "an endpoint fails";
    const bool used = std::any_of(published.begin(), published.end(), [&](MemberId member) {
      return core_.members().at(member).endpoint == endpoint.id;
    });
    if (!used && static_cast<int>(core_.endpoints().size()) <= policy_.sizing.max) {
      return "an endpoint has no member";
    }
  }
  return "";
}

void SimulatedWorld::Fail(const std::string& what) {
  if (!result_.failure.empty()) return;
  result_.failure = absl::StrCat("seed ", options_.seed, ": ", what, "\n");
  for (const Event& event : events_) {
    absl::StrAppend(
        &result_.failure, "  ",
        std::chrono::duration<double>(event.when - (Time() + std::chrono::hours(1))).count(),
        " s: ", event.what, " ", event.id, " -->");
    for (const Action& action : event.actions) {
      absl::StrAppend(&result_.failure, " ", ToString(action));
    }
    absl::StrAppend(&result_.failure, "\n");
  }
  for (const auto& [id, endpoint] : core_.endpoints()) {
    absl::StrAppend(&result_.failure, "  endpoint ", static_cast<uint64_t>(id), ": ",
                    endpoint.listed ? "" : "not listed, ", endpoint.serving ? "" : "not serving, ",
                    endpoint.ejected ? "ejected, " : "", endpoint.half_open ? "half open, " : "",
                    endpoint.suspect ? "suspect, " : "", endpoint.failures, " failures\n");
  }
  for (const auto& [id, member] : core_.members()) {
    absl::StrAppend(&result_.failure, "  member ", Number(id), " on ",
                    static_cast<uint64_t>(member.endpoint), ": ", ToString(member.state()),
                    member.rotating == RotateReason::kNone ? "" : ", rotating", "\n");
  }
  absl::StrAppend(&result_.failure, "  wanted ", core_.wanted(), ", max ", policy_.sizing.max,
                  "\n");
}

}  // namespace predial
