// The part of MemberTable that chooses by more than turns and loads: by latency, and by key.
#include <algorithm>
#include <map>

#include "plugin/core/affinity.h"
#include "plugin/member_table.h"

namespace predial {
namespace {

// Members that a thread looks at for one that is idle.
constexpr size_t kStayLooks = 8;

}  // namespace

void Lease::Named(absl::string_view backend) {
  if (slot_ == nullptr || source_ == Source::kAnchor) return;
  if (slot_->named_.exchange(true, std::memory_order_relaxed)) return;
  table_->signals_.named(slot_->id_, std::string(backend));
}

size_t MemberTable::PickToStay(size_t count, Shard& shard) const {
  const uint64_t ticket = shard.ticket.load(std::memory_order_relaxed);
  const uint32_t stayed = shard.stayed.load(std::memory_order_relaxed) + 1;
  const size_t looked_at = std::min<size_t>(count, kStayLooks);
  for (size_t i = stayed <= kStay ? 0 : 1; i < looked_at; ++i) {
    const size_t at = (ticket + i) % count;
    if (list_[at].load(std::memory_order_acquire)->in_flight() > 0) continue;
    shard.ticket.store(ticket + i, std::memory_order_relaxed);
    shard.stayed.store(i == 0 ? stayed : 1, std::memory_order_relaxed);
    return at;
  }
  shard.ticket.store(ticket + 1, std::memory_order_relaxed);
  shard.stayed.store(0, std::memory_order_relaxed);
  return ticket % count;
}

size_t MemberTable::PickByCost(size_t count, uint64_t ticket, Time now) const {
  return Pick(picker_, count, ticket, [&](size_t i) {
    const Slot* slot = list_[i].load(std::memory_order_acquire);
    return ewma_.Cost(slot->ewma_.load(std::memory_order_relaxed), now, slot->in_flight());
  });
}

Lease MemberTable::AcquireFor(absl::string_view key, WhenFull when_full) {
  when_full = ButStrict(when_full);
  const size_t count = listed_.load(std::memory_order_acquire);
  if (count == 0) return TakeFallback(when_full);
  const Time now = BeginTime();
  const uint64_t hash = AffinityKey(key);
  std::optional<AffinityChoice> first;
  std::optional<uint64_t> below;
  for (int tries = 0; tries < kAffinityTries; ++tries) {
    const auto choice = NextByAffinity(hash, count, below, [this](size_t i) {
      return list_[i].load(std::memory_order_acquire)->affinity_.load(std::memory_order_relaxed);
    });
    if (!choice) break;
    Slot* slot = list_[choice->at].load(std::memory_order_acquire);
    if (const auto source = TryLease(slot, /*above_limit=*/false)) {
      return Lease(this, slot, *source, now);
    }
    if (!first) first = choice;
    below = choice->score;
  }
  // If all are full, its first takes one more, or none does.
  return AcquireFrom(first->at, count, now, when_full);
}

void MemberTable::Measure(Slot* slot, RpcOutcome outcome, Time began) const {
  if (outcome == RpcOutcome::kConnectionGone) return;
  const Time now = Clock::now();
  const Duration took = now - began;
  // What failed may have failed quickly, and what was given up would have taken longer.
  const bool answered = outcome == RpcOutcome::kOk || outcome == RpcOutcome::kError;
  if (picker_ == PickerKind::kPeakEwma) {
    PeakEwma::Word word = slot->ewma_.load(std::memory_order_relaxed);
    // A sample that loses to others again and again is one of many.
    for (int tries = 0; tries < 4; ++tries) {
      const PeakEwma::Word next =
          answered ? ewma_.Observe(word, now, took) : ewma_.ObserveAtLeast(word, now, took);
      if (next == word || slot->ewma_.compare_exchange_weak(word, next, std::memory_order_relaxed,
                                                            std::memory_order_relaxed)) {
        break;
      }
    }
  }
  if (count_latency_ && (answered || outcome == RpcOutcome::kUnanswered)) {
    slot->latency_nanos_.fetch_add(took.count(), std::memory_order_relaxed);
    slot->latencies_.fetch_add(1, std::memory_order_relaxed);
  }
}

void MemberTable::ScaleLoads(const std::vector<Slot*>& slots) {
  std::map<Slot*, uint32_t> named;
  for (Slot* slot : slots) ++named[slot];
  // 1, 2, 3 and 4 divide it.
  constexpr uint32_t kScale = 12;
  for (const auto& [slot, times] : named) {
    slot->load_scale_.store(kScale / std::clamp<uint32_t>(times, 1, kWeightMax),
                            std::memory_order_relaxed);
  }
}

}  // namespace predial
