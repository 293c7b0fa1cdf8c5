// CoreTest: a PoolCore, its clock, and its answers as text, for the tests of what it decides.
//
// Threads: a test's own.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "plugin/core/action.h"
#include "plugin/core/decision_log.h"
#include "plugin/core/pool_core.h"
#include "plugin/core/types.h"

namespace predial {

// Ids count up in the order in which they are given out, endpoints and members alike.
class CoreTest : public testing::Test {
 protected:
  using Lines = std::vector<std::string>;

  CoreTest() {
    policy_.sizing.min = 2;
    policy_.sizing.max = 4;
    policy_.sizing.streams_target = 10;
    policy_.backoff.jitter = 0;
    policy_.health.enabled = false;
    policy_.spares = 0;
    policy_.slow_start = {};
  }

  PoolCore& core() {
    if (core_ == nullptr) core_ = std::make_unique<PoolCore>(policy_, 1, now_);
    return *core_;
  }

  static Lines Text(const Actions& actions) {
    Lines lines;
    for (const Action& action : actions) lines.push_back(ToString(action));
    return lines;
  }

  static MemberId M(uint64_t id) { return MemberId{id}; }
  static EndpointId E(uint64_t id) { return EndpointId{id}; }

  Lines Resolved(const std::vector<std::string>& keys) {
    return Text(core().OnResolved(now_, keys));
  }
  Lines Ready(uint64_t id, uint32_t limit = 0) { return Text(core().OnReady(now_, M(id), limit)); }
  Lines Failed(uint64_t id, DialResult result = DialResult::kRefused) {
    return Text(core().OnConnectFailed(now_, M(id), result));
  }
  Lines PeerClosed(uint64_t id, bool proved = true) {
    return Text(core().OnPeerClosed(now_, M(id), {proved}));
  }
  // Ended by its peer in the midst of its work, with `rpcs` RPCs behind it.
  Lines Ended(uint64_t id, uint64_t rpcs, bool without_a_word = false) {
    return Text(core().OnPeerClosed(now_, M(id),
                                    {/*proved=*/true, rpcs + 1, /*in_flight=*/1, without_a_word}));
  }
  Lines GoingAway(uint64_t id, bool proved = true) {
    return Text(core().OnGoingAway(now_, M(id), {proved}));
  }
  Lines Drained(uint64_t id) { return Text(core().OnDrained(now_, M(id))); }
  Lines Checked(uint64_t id, HealthResult result) {
    return Text(core().OnChecked(now_, M(id), result));
  }
  Lines Watched(uint64_t id, HealthResult result) {
    return Text(core().OnWatched(now_, E(id), result));
  }
  Lines ScoutUp(uint64_t id) { return Text(core().OnScoutUp(now_, E(id))); }
  Lines ScoutDown(uint64_t id, Duration age) { return Text(core().OnScoutDown(now_, E(id), age)); }
  Lines Worn(uint64_t id) { return Text(core().OnWorn(now_, M(id))); }
  Lines Ailing(uint64_t id) { return Text(core().OnFailing(now_, M(id), FailureStreak::kAiling)); }
  Lines Erring(uint64_t id) { return Text(core().OnFailing(now_, M(id), FailureStreak::kAny)); }
  Lines Unanswered(const std::vector<Silence>& silences) {
    return Text(core().OnUnanswered(now_, silences));
  }
  Lines Tick(const LoadSample& load = {}) { return Text(core().OnTick(now_, load)); }
  // As if `id` had that many RPCs in flight.
  Lines Load(uint64_t id, int64_t in_flight) {
    LoadSample load;
    load.members.push_back({M(id), in_flight, ++rpcs_});
    return Tick(load);
  }
  // As if an RPC on each had ended well.
  Lines Success(const std::vector<uint64_t>& ids) {
    LoadSample load;
    for (uint64_t id : ids) load.members.push_back({M(id), 0, ++rpcs_, /*succeeded=*/true});
    return Tick(load);
  }
  // Waits, tick by tick, for at most `span`; what is ordered meanwhile.
  Lines Wait(Duration span) {
    Lines lines;
    const Time end = now_ + span;
    for (int ticks = 0; ticks < 10000; ++ticks) {
      const Time next = core().NextTick(now_);
      now_ = std::min(std::max(next, now_), end);
      for (std::string& line : Tick()) lines.push_back(std::move(line));
      if (now_ == end) return lines;
    }
    ADD_FAILURE() << "10000 ticks";
    return lines;
  }
  // The reasons in the log, the oldest first: "drain 2: rotated".
  Lines Log() {
    Lines lines;
    for (const Decision& decision : core().log().decisions()) {
      const auto subject = decision.member == MemberId{} ? static_cast<uint64_t>(decision.endpoint)
                                                         : static_cast<uint64_t>(decision.member);
      lines.push_back(absl::StrCat(decision.what, " ", subject, ": ", decision.reason));
    }
    return lines;
  }
  LoadSample Demand() {
    LoadSample load;
    load.anchor_rpcs = 1;
    return load;
  }

  // One endpoint "a" (id 1) with members 2 and 3, ready.
  void StartWithTwoReady() {
    Resolved({"a"});
    Ready(2);
    Ready(3);
  }

  PoolPolicy policy_;
  Time now_ = Time() + std::chrono::hours(1);
  std::unique_ptr<PoolCore> core_;
  uint64_t rpcs_ = 0;
};

}  // namespace predial
