#include "plugin/member_table.h"

#include <time.h>

#include <algorithm>
#include <set>
#include <utility>

#include "plugin/io/connection_watch.h"

namespace predial {
namespace {

// One tick of the coarse clock at the usual 250 Hz.
constexpr int64_t kAnsweredLatelyNanos = 4'000'000;

// Nanoseconds, in steps of a kernel tick, at a fraction of an exact clock's price.
int64_t CoarseNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void Lease::SetBlocking() {
  if (slot_ == nullptr || blocking_) return;
  blocking_ = true;
  table_->AddBlocking(1);
}

void Lease::End() {
  if (slot_ == nullptr) return;
  if (std::exchange(blocking_, false)) table_->AddBlocking(-1);
  // On its own: the count of RPCs stays.
  table_->Return(slot_, 1);
  slot_ = nullptr;
}

void Lease::NoteGone(bool without_a_word) {
  // At once, not when the loop comes round to it: the next RPC may be this thread's.
  if (source_ == Source::kAnchor) return;
  if (without_a_word) {
    table_->doubted_.store(slot_->endpoint_.load(std::memory_order_relaxed),
                           std::memory_order_relaxed);
    table_->doubted_since_.store(Clock::now(), std::memory_order_release);
  }
  table_->CloseGone(slot_, without_a_word);
  table_->CloseHungUp();
}

void Lease::Undo() {
  if (slot_ == nullptr) return;
  if (std::exchange(blocking_, false)) table_->AddBlocking(-1);
  table_->Return(std::exchange(slot_, nullptr), Slot::kOneLease);
}

void Lease::End(RpcOutcome outcome) {
  if (slot_ == nullptr) return;
  if (began_ != Time()) table_->Measure(slot_, outcome, began_);
  if (outcome == RpcOutcome::kConnectionGone) {
    NoteGone(/*without_a_word=*/false);
    return End();
  }
  const bool answered =
      outcome == RpcOutcome::kOk || outcome == RpcOutcome::kError || outcome == RpcOutcome::kFailed;
  if (answered) {
    if (table_->alive_check_) slot_->answered_.store(CoarseNow(), std::memory_order_relaxed);
    // Written only once, so that the line stays shared.
    if (!slot_->proved_.load(std::memory_order_relaxed)) {
      slot_->proved_.store(true, std::memory_order_relaxed);
      slot_->may_exceed_.store(true, std::memory_order_relaxed);
    }
  }
  if (outcome == RpcOutcome::kOk) {
    if (!slot_->succeeded_.load(std::memory_order_relaxed)) {
      slot_->succeeded_.store(true, std::memory_order_relaxed);
    }
    if (slot_->streak_.load(std::memory_order_relaxed) != 0) {
      slot_->streak_.store(0, std::memory_order_relaxed);
    }
  } else if (source_ != Source::kAnchor) {
    table_->CountFailure(slot_, outcome);
  }
  End();
}

void MemberTable::CountFailure(Slot* slot, RpcOutcome outcome) {
  if (outcome == RpcOutcome::kUnanswered &&
      !slot->suspected_.exchange(true, std::memory_order_relaxed)) {
    signals_.unanswered(slot->id_);
  }
  // Two counts in one word: failures of an ailing server (low), and all (high).
  const uint32_t one = 0x10000 | (outcome == RpcOutcome::kFailed ? 1 : 0);
  const uint32_t streak = slot->streak_.fetch_add(one, std::memory_order_relaxed) + one;
  const uint32_t ailing = streak & 0xFFFF;
  const uint32_t any = streak >> 16;
  if (outcome == RpcOutcome::kFailed && ailing % failures_.ailing == 0) {
    signals_.failing(slot->id_, FailureStreak::kAiling);
  } else if (any % failures_.any == 0) {
    signals_.failing(slot->id_, FailureStreak::kAny);
  }
}

void MemberTable::CloseGone(Slot* slot, bool without_a_word) {
  const uint64_t before = slot->word_.fetch_and(~Slot::kOpen, std::memory_order_acq_rel);
  if ((before & Slot::kOpen) != 0) signals_.going_away(slot->id_, without_a_word);
}

void MemberTable::CloseHungUp() {
  const size_t count = listed_.load(std::memory_order_acquire);
  for (size_t i = 0; i < count; ++i) {
    Slot* slot = list_[i].load(std::memory_order_acquire);
    bool reused;
    if (!TryTake(slot, /*above_limit=*/true, &reused)) continue;
    if (slot->socket_ != nullptr && HasHungUp(*slot->socket_))
      CloseGone(slot, /*without_a_word=*/true);
    Return(slot, Slot::kOneLease);
  }
}

MemberTable::MemberTable(const Options& options, Signals signals)
    : picker_(options.picker),
      alive_check_(options.alive_check),
      failures_(options.failures),
      ewma_(options.latency_decay),
      count_latency_(options.count_latency),
      measures_(options.picker == PickerKind::kPeakEwma || options.count_latency),
      strict_(options.strict),
      signals_(std::move(signals)),
      list_(static_cast<size_t>(options.capacity) * kWeightMax) {
  for (int i = 0; i < kShards; ++i) shards_[i].ticket = MixTicket(i);
}

int64_t MemberTable::CountBlocking() const {
  int64_t count = 0;
  for (const Shard& shard : shards_) count += shard.blocking.load(std::memory_order_relaxed);
  return count;
}

unsigned MemberTable::ThreadShard() {
  static std::atomic<unsigned> threads{0};
  thread_local const unsigned shard = threads.fetch_add(1, std::memory_order_relaxed) % kShards;
  return shard;
}

// Every RPC's way: its parts, which AcquireFor() shares, are to be inlined here. seq_cst: what RPCs
// that wait look at, here and in TryTake(). Costs what acquire costs.
__attribute__((flatten)) Lease MemberTable::Acquire(WhenFull when_full) {
  when_full = ButStrict(when_full);
  const size_t count = listed_.load(std::memory_order_seq_cst);
  if (count == 0) return TakeFallback(when_full);
  const Time now = BeginTime();
  return AcquireFrom(PickOne(count, now), count, now, when_full);
}

size_t MemberTable::PickOne(size_t count, Time now) {
  Shard& shard = shards_[ThreadShard()];
  if (stay_.load(std::memory_order_relaxed)) return PickToStay(count, shard);
  const uint64_t ticket = shard.ticket.load(std::memory_order_relaxed);
  shard.ticket.store(ticket + 1, std::memory_order_relaxed);  // two threads may share a turn
  if (picker_ == PickerKind::kPeakEwma) return PickByCost(count, ticket, now);
  return Pick(picker_, count, ticket, [this](size_t i) {
    const Slot* slot = list_[i].load(std::memory_order_acquire);
    return slot->in_flight() * slot->load_scale_.load(std::memory_order_relaxed);
  });
}

Lease MemberTable::AcquireFrom(size_t first, size_t count, Time now, WhenFull when_full) {
  bool full = false;
  for (const bool above_limit : {false, true}) {
    if (above_limit && (!full || when_full == WhenFull::kNone)) break;
    for (size_t tried = 0; tried < count; ++tried) {
      const size_t at = first + tried < count ? first + tried : first + tried - count;
      Slot* slot = list_[at].load(std::memory_order_acquire);
      if (above_limit && !slot->MayExceed()) continue;
      if (const auto source = TryLease(slot, above_limit)) return Lease(this, slot, *source, now);
      if (!above_limit && TakesRpcs(*slot) && !IsDoubted(*slot)) full = true;
    }
  }
  if (!full) return TakeFallback(when_full);
  if (attention_above_.load(std::memory_order_relaxed) != UINT32_MAX) Notice();
  return Lease();
}

bool MemberTable::TakesRpcs(const Slot& slot) {
  const uint64_t word = slot.word_.load(std::memory_order_relaxed);
  return (word & Slot::kOpen) != 0 &&
         (word >> Slot::kRpcsShift) < slot.rpcs_max_.load(std::memory_order_relaxed);
}

MemberTable::Crowd MemberTable::CountOpen() const {
  const size_t count = listed_.load(std::memory_order_acquire);
  std::set<const Slot*> open;  // a slot may be listed more than once
  Crowd crowd;
  for (size_t i = 0; i < count; ++i) {
    const Slot* slot = list_[i].load(std::memory_order_acquire);
    if (!TakesRpcs(*slot) || !open.insert(slot).second) continue;
    ++crowd.open;
    crowd.stream_limit =
        std::min(crowd.stream_limit, slot->stream_limit_.load(std::memory_order_relaxed));
  }
  return crowd;
}

std::optional<Lease::Source> MemberTable::TryLease(Slot* slot, bool above_limit) {
  if (IsDoubted(*slot)) return std::nullopt;
  bool reused;
  if (!TryTake(slot, above_limit, &reused)) return std::nullopt;
  if (!IsAlive(*slot)) {
    // What a watch on the socket does not tell is a GOAWAY.
    CloseGone(slot, /*without_a_word=*/!slot->channel_knows_ || slot->socket_ == nullptr);
    Return(slot, Slot::kOneLease);
    return std::nullopt;
  }
  return reused ? Lease::Source::kReused : Lease::Source::kNew;
}

bool MemberTable::IsDoubted(const Slot& slot) {
  Time since = doubted_since_.load(std::memory_order_acquire);
  if (since == Time()) return false;
  if (Clock::now() - since > kDoubt) {
    doubted_since_.compare_exchange_strong(since, Time(), std::memory_order_relaxed);
    return false;
  }
  // An answer would show nothing: it may have been on its way when the server died. Nor would the
  // SETTINGS of a spare.
  return slot.endpoint_.load(std::memory_order_relaxed) ==
             doubted_.load(std::memory_order_relaxed) &&
         slot.dial_began_.load(std::memory_order_relaxed) <= since;
}

bool MemberTable::IsAlive(const Slot& slot) const {
  if (!alive_check_) return true;
  // Even if it has just answered: an RPC would make the channel connect anew, or fail if that does.
  if (slot.HasLeft()) return false;
  if (slot.socket_ == nullptr) return true;
  // One that has just answered need not be asked.
  const int64_t quiet = CoarseNow() - slot.answered_.load(std::memory_order_relaxed);
  return quiet <= kAnsweredLatelyNanos || !HasHungUp(*slot.socket_);
}

bool MemberTable::TryTake(Slot* slot, bool above_limit, bool* reused) {
  const uint32_t limit =
      above_limit ? UINT32_MAX : slot->stream_limit_.load(std::memory_order_relaxed);
  uint64_t before = slot->word_.load(std::memory_order_seq_cst);
  // Looked at first: a lease that is undone would signal, for every RPC until the next Publish().
  if ((before & Slot::kOpen) == 0) return false;
  if (limit == UINT32_MAX) {
    before = slot->word_.fetch_add(Slot::kOneLease, std::memory_order_acq_rel);
    if ((before & Slot::kOpen) == 0) {
      Return(slot, Slot::kOneLease);
      return false;
    }
  } else {
    // In one step: of two threads that see the last place, one gets it.
    do {
      if ((before & Slot::kOpen) == 0 || (before & Slot::kInFlightMask) >= limit) return false;
    } while (!slot->word_.compare_exchange_weak(
        before, before + Slot::kOneLease, std::memory_order_acq_rel, std::memory_order_relaxed));
  }
  const uint64_t rpcs = before >> Slot::kRpcsShift;
  if (rpcs + 1 >= slot->worn_at_.load(std::memory_order_relaxed)) {
    if (rpcs >= slot->rpcs_max_.load(std::memory_order_relaxed)) {
      Return(slot, Slot::kOneLease);
      return false;
    }
    // Once: the limit moves out of reach, up to the one that is kept.
    const uint64_t max = slot->rpcs_max_.load(std::memory_order_relaxed);
    if (slot->worn_at_.exchange(max, std::memory_order_relaxed) != max) {
      signals_.worn(slot->id_);
    }
  }
  *reused = rpcs != 0;
  if ((before & Slot::kInFlightMask) >= attention_above_.load(std::memory_order_relaxed)) Notice();
  return true;
}

Lease MemberTable::AcquireFallback() {
  for (;;) {
    Slot* slot = fallback_.load(std::memory_order_acquire);
    const uint64_t before = slot->word_.fetch_add(Slot::kOneLease, std::memory_order_acq_rel);
    // If the fallback has just been exchanged, its slot is closed, or even open for a member
    // already.
    if ((before & Slot::kOpen) != 0 && fallback_.load(std::memory_order_acquire) == slot) {
      Notice();
      return Lease(this, slot, Lease::Source::kAnchor);
    }
    Return(slot, Slot::kOneLease);
  }
}

Lease MemberTable::AcquireUnpublished(Slot* slot) {
  bool reused;
  if (!TryTake(slot, /*above_limit=*/false, &reused)) return Lease();
  Notice();
  return Lease(this, slot, Lease::Source::kAnchor);
}

Lease MemberTable::TakeFallback(WhenFull when_full) {
  if (when_full == WhenFull::kShare) return AcquireFallback();
  for (;;) {
    Slot* slot = fallback_.load(std::memory_order_seq_cst);
    bool reused;
    const bool taken = TryTake(slot, /*above_limit=*/false, &reused);
    // As in AcquireFallback().
    if (fallback_.load(std::memory_order_acquire) == slot) {
      Notice();
      return taken ? Lease(this, slot, Lease::Source::kAnchor) : Lease();
    }
    if (taken) Return(slot, Slot::kOneLease);
  }
}

void MemberTable::Return(Slot* slot, uint64_t word) {
  const uint64_t before = slot->word_.fetch_sub(word, std::memory_order_seq_cst);
  if ((before & Slot::kOpen) == 0 && (before & Slot::kInFlightMask) == 1) signals_.idle(slot);
  SignalRoom();
}

Slot* MemberTable::Open(MemberId id, std::shared_ptr<grpc::Channel> channel, uint32_t stream_limit,
                        Connection connection) {
  Slot* slot;
  {
    MutexLock lock(open_mutex_);
    if (free_.empty()) {
      slots_.emplace_back();
      free_.push_back(&slots_.back());
    }
    slot = free_.back();
    free_.pop_back();
  }
  slot->id_ = id;
  slot->endpoint_.store(connection.endpoint, std::memory_order_relaxed);
  slot->channel_ = std::move(channel);
  slot->socket_ = std::move(connection.socket);
  slot->channel_knows_ = connection.channel_knows;
  slot->proved_.store(false, std::memory_order_relaxed);
  slot->may_exceed_.store(connection.channel_knows, std::memory_order_relaxed);
  slot->succeeded_.store(false, std::memory_order_relaxed);
  slot->refuses_.store(false, std::memory_order_relaxed);
  slot->streak_.store(0, std::memory_order_relaxed);
  slot->suspected_.store(false, std::memory_order_relaxed);
  slot->worn_at_.store(UINT64_MAX, std::memory_order_relaxed);
  slot->rpcs_max_.store(UINT64_MAX, std::memory_order_relaxed);
  slot->answered_.store(0, std::memory_order_relaxed);
  slot->dial_began_.store(connection.dial_began, std::memory_order_relaxed);
  slot->ewma_.store(PeakEwma::kNoSample, std::memory_order_relaxed);
  slot->latencies_.store(0, std::memory_order_relaxed);
  slot->latency_nanos_.store(0, std::memory_order_relaxed);
  slot->affinity_.store(MixTicket(static_cast<uint64_t>(id)), std::memory_order_relaxed);
  slot->named_.store(false, std::memory_order_relaxed);
  slot->stream_limit_.store(stream_limit == 0 ? UINT32_MAX : stream_limit,
                            std::memory_order_relaxed);
  // The count of RPCs begins anew; what a late thread is just undoing stays to be undone.
  uint64_t word = slot->word_.load(std::memory_order_relaxed);
  while (!slot->word_.compare_exchange_weak(
      word, (word & Slot::kInFlightMask) * Slot::kOneLease | Slot::kOpen, std::memory_order_release,
      std::memory_order_relaxed)) {
  }
  return slot;
}

bool MemberTable::Close(Slot* slot) {
  const uint64_t before = slot->word_.fetch_and(~Slot::kOpen, std::memory_order_acq_rel);
  return (before & Slot::kInFlightMask) == 0;
}

bool MemberTable::Free(Slot* slot) {
  const uint64_t word = slot->word_.load(std::memory_order_acquire);
  if ((word & Slot::kOpen) != 0 || (word & Slot::kInFlightMask) != 0) return false;
  if (slot->channel_ == nullptr) return false;
  slot->channel_.reset();
  slot->socket_.reset();
  MutexLock lock(open_mutex_);
  free_.push_back(slot);
  return true;
}

void MemberTable::LimitRpcs(Slot* slot, uint64_t worn_at, uint64_t max) {
  slot->rpcs_max_.store(max, std::memory_order_relaxed);
  slot->worn_at_.store(std::min(worn_at, max), std::memory_order_relaxed);
}

void MemberTable::Publish(const std::vector<Slot*>& slots) {
  ScaleLoads(slots);
  // Entries first: a thread that still has the old count finds slots, at worst closed ones.
  for (size_t i = 0; i < slots.size(); ++i) list_[i].store(slots[i], std::memory_order_release);
  listed_.store(slots.size(), std::memory_order_seq_cst);
  SignalRoom();
}

}  // namespace predial
