// MemberTable: what RPC threads read to get a member, and where they give it back. The data plane.
//
// The event loop's thread opens slots and publishes which of them take RPCs; RPC threads lease
// them.
//
// Threads:   Acquire() and everything of Lease: any thread, lock-free. The rest: the loop's thread.
// Ownership: a slot shares ownership of its channel until it is closed and its last lease is back.
//            Slots themselves live as long as the table, so that a stale list is harmless: at worst
//            it names a slot that has been closed, and the RPC takes the next one.
// Memory order: a slot's channel is written before its open bit is set (release) and read after the
//               bit was seen (acquire). It is let go of only when the bit is clear and no lease is
//               out.
#pragma once

#include <grpcpp/channel.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "plugin/core/peak_ewma.h"
#include "plugin/core/picker.h"
#include "plugin/core/types.h"
#include "plugin/io/unique_fd.h"
#include "plugin/mutex.h"

namespace predial {

class MemberTable;

// One member as RPC threads see it.
class alignas(64) Slot {
 public:
  // Of the lease holder.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  MemberId id() const { return id_; }
  // Of the lease holder: whether the channel says that it has lost its connection. False if it
  // cannot tell.
  bool HasLeft() const { return channel_knows_ && !IsConnected(); }
  // Of a slot with an ordinary channel, which can tell.
  bool IsConnected() const {
    return channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY;
  }
  // Of the loop's thread; null if it has none of its own.
  const UniqueFd* socket() const { return socket_.get(); }

  int64_t in_flight() const { return word_.load(std::memory_order_relaxed) & kInFlightMask; }
  // RPCs that it was leased for since it was opened.
  uint64_t rpcs() const { return word_.load(std::memory_order_relaxed) >> kRpcsShift; }
  // Whether a server answered an RPC on it.
  bool proved() const { return proved_.load(std::memory_order_relaxed); }
  // Whether more RPCs than its limit can wait in its channel. Not in one over a descriptor before
  // the first message: until gRPC has read the server's SETTINGS it knows of no limit, and a server
  // may close a connection that exceeds it.
  bool MayExceed() const { return may_exceed_.load(std::memory_order_relaxed); }
  // Whether one of its RPCs ended well.
  bool succeeded() const { return succeeded_.load(std::memory_order_relaxed); }
  // Whether its connection was asked, and takes no more RPCs: see Lease::NoteRefusal().
  bool refuses() const { return refuses_.load(std::memory_order_relaxed); }
  // RPCs that were answered or missed their deadline, and what they took together; 0 without
  // Options::count_latency.
  uint64_t answered() const { return latencies_.load(std::memory_order_relaxed); }
  Duration latency() const { return Duration(latency_nanos_.load(std::memory_order_relaxed)); }

 private:
  friend class MemberTable;
  friend class Lease;

  // word_: RPCs so far (39 bits; wraps) | open (1 bit) | RPCs in flight (24 bits).
  static constexpr uint64_t kInFlightMask = (uint64_t{1} << 24) - 1;
  static constexpr uint64_t kOpen = uint64_t{1} << 24;
  static constexpr int kRpcsShift = 25;
  static constexpr uint64_t kOneLease = (uint64_t{1} << kRpcsShift) | 1;

  std::atomic<uint64_t> word_{0};
  std::atomic<bool> proved_{false};
  std::atomic<bool> may_exceed_{false};
  std::atomic<bool> succeeded_{false};
  std::atomic<bool> refuses_{false};
  // Whether RPCs failed since the last one that ended well: see Streak.
  std::atomic<uint32_t> streak_{0};
  // Signals::unanswered was sent, and not yet looked into.
  std::atomic<bool> suspected_{false};
  // RPCs count by so many when loads are compared: fewer for one that is published more often.
  std::atomic<uint32_t> load_scale_{1};
  // When the last answer came, by CoarseNow().
  std::atomic<int64_t> answered_{0};
  std::atomic<Time> dial_began_{};
  // Never above it while another member has room.
  std::atomic<uint32_t> stream_limit_{UINT32_MAX};
  // RPCs so far from which on it is worn, and at which it takes no more.
  std::atomic<uint64_t> worn_at_{UINT64_MAX};
  std::atomic<uint64_t> rpcs_max_{UINT64_MAX};

  // Written by the loop's thread while the slot is closed and not leased.
  MemberId id_{};
  std::atomic<EndpointId> endpoint_{};  // read without a lease, too
  std::shared_ptr<grpc::Channel> channel_;
  std::shared_ptr<const UniqueFd> socket_;
  bool channel_knows_ = false;

  // For what is not done for every RPC by default: member_selection.cc.
  std::atomic<PeakEwma::Word> ewma_{PeakEwma::kNoSample};
  std::atomic<uint64_t> latencies_{0};
  std::atomic<int64_t> latency_nanos_{0};
  std::atomic<uint64_t> affinity_{0};  // MixTicket() of its id
  std::atomic<bool> named_{false};     // its server's name is known
};

// One RPC's hold on a member. Gives it back when it is ended or destroyed.
class Lease {
 public:
  enum class Source { kReused, kNew, kAnchor };

  Lease() = default;
  Lease(Lease&& other) noexcept { *this = std::move(other); }
  Lease& operator=(Lease&& other) noexcept {
    End();
    table_ = std::exchange(other.table_, nullptr);
    slot_ = std::exchange(other.slot_, nullptr);
    source_ = other.source_;
    blocking_ = std::exchange(other.blocking_, false);
    began_ = other.began_;
    return *this;
  }
  ~Lease() { End(); }

  explicit operator bool() const { return slot_ != nullptr; }
  const Slot& slot() const { return *slot_; }
  Source source() const { return source_; }

  // The member's connection is gone: it gets no further lease from now on. Nor do others whose
  // connections have been closed as well. If it went without a word (no GOAWAY), its server may be
  // dying, and closes its other connections one after the other: those to the same endpoint that
  // were dialed before get none for MemberTable::kDoubt.
  void NoteGone(bool without_a_word);
  // It was asked whether it really takes no more RPCs, and refused.
  void NoteRefusal() { slot_->refuses_.store(true, std::memory_order_relaxed); }

  // Gives the member back, with what became of the RPC. If its connection is gone, it is noted, as
  // one that said so.
  void End(RpcOutcome outcome);
  // Without a word on it: the RPC was never started, or nobody asked for its status.
  void End();
  // As if it had never been: it does not count as an RPC.
  void Undo();

  // The RPC's caller keeps its thread waiting for it: to be counted until the end.
  void SetBlocking();

  // How long the RPC takes says nothing of the member: it is a stream.
  void DoNotMeasure() { began_ = {}; }
  // Whether the name of the member's server is still to be learned, from this RPC or another.
  bool wants_name() const {
    return slot_ != nullptr && source_ != Source::kAnchor &&
           !slot_->named_.load(std::memory_order_relaxed);
  }
  // Whether it matters that a message has come: see Slot::MayExceed().
  bool wants_message() const { return slot_ != nullptr && !slot_->MayExceed(); }
  void NoteMessage() { slot_->may_exceed_.store(true, std::memory_order_relaxed); }
  // The server answered, and named itself. Signals::named comes with the first.
  void Named(absl::string_view backend);

 private:
  friend class MemberTable;
  Lease(MemberTable* table, Slot* slot, Source source, Time began = {})
      : table_(table), slot_(slot), source_(source), began_(began) {}

  MemberTable* table_ = nullptr;
  Slot* slot_ = nullptr;
  Source source_ = Source::kAnchor;
  bool blocking_ = false;
  Time began_ = {};  // Time(): not measured
};

class MemberTable {
 public:
  // What RPC threads tell the loop. Called on their threads, seldom; must be quick.
  struct Signals {
    // There is load to look at: see set_attention().
    std::function<void()> attention;
    // A closed slot may have given its last lease back.
    std::function<void(Slot*)> idle;
    // An RPC found that its member takes no more, and closed its slot: after a GOAWAY, or because
    // the connection is closed without a word. Comes before that lease is back.
    std::function<void(MemberId, bool without_a_word)> going_away;
    // The member has had as many RPCs as LimitRpcs() said: it wants replacing.
    std::function<void(MemberId)> worn;
    // So many RPCs in a row failed on it: see FailureLimits.
    std::function<void(MemberId, FailureStreak)> failing;
    // An RPC on it missed its deadline. Not again for this member before Unsuspect().
    std::function<void(MemberId)> unanswered;
    // The member's server named itself so. Once for each member.
    std::function<void(MemberId, std::string)> named;
    // There may be a place: one came free, or others were published. Only while SetWaiting() says
    // that someone waits for it. Also on the loop's thread.
    std::function<void()> room = {};
  };

  // RPCs in a row on one member without one that ended well, after which Signals::failing comes
  // (and comes again after as many more).
  struct FailureLimits {
    uint32_t ailing = 5;  // those that an ailing server or connection gives: RpcOutcome::kFailed
    uint32_t any = 100;   // whatever their codes
  };

  struct Options {
    int capacity = 1;  // most members published at a time
    PickerKind picker = PickerKind::kRoundRobin;
    bool alive_check = true;  // see PoolOptions
    FailureLimits failures = {};
    Duration latency_decay = std::chrono::seconds(10);  // of kPeakEwma
    bool count_latency = false;                         // for Slot::latency()
    // No RPC goes on a slot at its limit, the fallback's included: see Acquire().
    bool strict = false;
  };
  MemberTable(const Options& options, Signals signals);

  // How long connections to an endpoint are left alone after one was closed without a word:
  // longer than a process takes to die.
  static constexpr Duration kDoubt = std::chrono::milliseconds(100);

  // --- RPC threads

  enum class WhenFull { kShare, kNone };

  // A published member, or the fallback when there is none (or none that is still open). If all are
  // full, one of them that may have more (see Slot::MayExceed()) or, if there is none such, an
  // empty lease: always that for kNone, and if the table is strict.
  Lease Acquire(WhenFull when_full = WhenFull::kShare);
  // The same member for every RPC with this key, while the same are published: the next one in the
  // key's order (core/affinity.h) in place of one that takes none. Past kAffinityTries of them the
  // picker's order is as good. Looks at every member.
  Lease AcquireFor(absl::string_view key, WhenFull when_full = WhenFull::kShare);
  static constexpr int kAffinityTries = 8;
  // The fallback, whatever is published.
  Lease AcquireFallback();
  // Of a slot that is neither published nor the fallback; as a lease of the latter. Empty if it is
  // closed or full.
  Lease AcquireUnpublished(Slot* slot);

  // So many RPCs wait for a place. A place that comes free after this has returned, and after an
  // Acquire() that came after it has failed, is signalled.
  void SetWaiting(int count) { waiting_.store(count, std::memory_order_seq_cst); }
  int waiting() const { return waiting_.load(std::memory_order_seq_cst); }
  // Leases that are SetBlocking() now.
  int64_t CountBlocking() const;
  // The open members among those that are published, and the lowest limit among theirs.
  struct Crowd {
    int open = 0;
    uint32_t stream_limit = UINT32_MAX;
  };
  Crowd CountOpen() const;

  // --- The loop's thread, but for Open() without a connection

  // What is known of a channel's connection.
  struct Connection {
    std::shared_ptr<const UniqueFd> socket = nullptr;  // to be looked at; null: it has no own
    EndpointId endpoint = {};
    Time dial_began = {};
    bool channel_knows = false;  // the channel's state is the connection's
  };
  // A closed slot without leases, now open, but not published.
  Slot* Open(MemberId id, std::shared_ptr<grpc::Channel> channel, uint32_t stream_limit,
             Connection connection);
  Slot* Open(MemberId id, std::shared_ptr<grpc::Channel> channel, uint32_t stream_limit) {
    return Open(id, std::move(channel), stream_limit, Connection());
  }
  // No new leases from here on. True if none is out; otherwise Signals::idle follows.
  bool Close(Slot* slot);
  // Lets go of the channel and the socket of a closed slot. False, and nothing happens, if the slot
  // is open or leased, or a thread with an old list is just trying to lease it, however idle it was
  // a moment ago: Signals::idle follows then.
  bool Free(Slot* slot);
  // One that is named more often gets more RPCs: kWeightMax times at most.
  void Publish(const std::vector<Slot*>& slots);
  static constexpr int kWeightMax = 4;
  // Signals::worn comes with RPC number `worn_at` of the slot, or, if that is past, with the next
  // one; there is none after RPC number `max`.
  void LimitRpcs(Slot* slot, uint64_t worn_at, uint64_t max);
  // What Signals::unanswered told of was looked into.
  void Unsuspect(Slot* slot) { slot->suspected_.store(false, std::memory_order_relaxed); }

  // With PickerKind::kRoundRobin: a thread's RPCs stay on one member while no other's are there,
  // kStay in a row at most, and then go to the next that is idle. For threads that wait for their
  // RPCs and would else meet at a connection's lock and socket. Off to begin with.
  void SetStay(bool stay) { stay_.store(stay, std::memory_order_relaxed); }
  static constexpr uint32_t kStay = 32;

  // What carries RPCs while nothing is published: an open slot. Never empty.
  void SetFallback(Slot* slot) {
    fallback_.store(slot, std::memory_order_seq_cst);
    SignalRoom();
  }

  // Signals::attention comes with the first RPC that finds this many on its member (0: with any
  // RPC), and then not again until it is set again. RPCs on the fallback always count.
  void SetAttention(uint32_t in_flight) {
    attention_above_.store(in_flight, std::memory_order_relaxed);
    noticed_.store(false, std::memory_order_release);
  }

 private:
  friend class Lease;

  static constexpr int kShards = 16;
  struct alignas(64) Shard {
    std::atomic<uint64_t> ticket{0};
    std::atomic<uint32_t> stayed{0};  // RPCs in a row on one member
    // A lease that ends on another thread makes one too many here, and one too few there.
    std::atomic<int64_t> blocking{0};
  };

  // When an RPC begins, if anybody wants to know.
  Time BeginTime() const { return measures_ ? Clock::now() : Time(); }
  // An index into the `count` > 0 that are listed.
  size_t PickOne(size_t count, Time now);
  size_t PickToStay(size_t count, Shard& shard) const;
  size_t PickByCost(size_t count, uint64_t ticket, Time now) const;
  // The first of the list that takes the RPC, from `first` on.
  Lease AcquireFrom(size_t first, size_t count, Time now, WhenFull when_full);
  // A lease of the slot, if it takes the RPC.
  std::optional<Lease::Source> TryLease(Slot* slot, bool above_limit);
  // An RPC that began at `began` ends; its lease is not back yet.
  void Measure(Slot* slot, RpcOutcome outcome, Time began) const;
  // Sets the slots' load_scale_.
  static void ScaleLoads(const std::vector<Slot*>& slots);

  // Closes the slot of a connection that takes no more RPCs.
  void CloseGone(Slot* slot, bool without_a_word);
  // The same for all published slots whose connections have been closed: when a server dies, the
  // first RPC that fails spares those that follow.
  void CloseHungUp();
  // An RPC on the slot did not end well.
  void CountFailure(Slot* slot, RpcOutcome outcome);
  // Whether the slot's endpoint has just closed another connection without a word, and the slot's
  // own is not younger than that.
  bool IsDoubted(const Slot& slot);
  // Whether the connection of a slot that is leased may be used: see PoolOptions::alive_check.
  bool IsAlive(const Slot& slot) const;
  // Null if the slot is not open, or is full and `above_limit` is false.
  bool TryTake(Slot* slot, bool above_limit, bool* reused);
  void Return(Slot* slot, uint64_t word);
  Lease TakeFallback(WhenFull when_full);
  WhenFull ButStrict(WhenFull when_full) const { return strict_ ? WhenFull::kNone : when_full; }
  // Open, and has not carried all the RPCs that it may.
  static bool TakesRpcs(const Slot& slot);
  void SignalRoom() {
    if (waiting_.load(std::memory_order_seq_cst) > 0) signals_.room();
  }
  void Notice() {
    if (noticed_.load(std::memory_order_relaxed)) return;
    if (!noticed_.exchange(true, std::memory_order_acq_rel)) signals_.attention();
  }
  static unsigned ThreadShard();
  void AddBlocking(int count) {
    shards_[ThreadShard()].blocking.fetch_add(count, std::memory_order_relaxed);
  }

  const PickerKind picker_;
  const bool alive_check_;
  const FailureLimits failures_;
  const PeakEwma ewma_;
  const bool count_latency_;
  const bool measures_;
  const bool strict_;
  const Signals signals_;

  // What changes seldom, read by every RPC.
  std::vector<std::atomic<Slot*>> list_;
  std::atomic<size_t> listed_{0};
  std::atomic<Slot*> fallback_{nullptr};
  std::atomic<uint32_t> attention_above_{0};
  std::atomic<bool> noticed_{false};
  std::atomic<bool> stay_{false};
  // The epoch: none is.
  std::atomic<Time> doubted_since_{};
  std::atomic<EndpointId> doubted_{};

  // Never written unless RPCs wait.
  alignas(64) std::atomic<int> waiting_{0};

  // Of one thread, or a few.
  Shard shards_[kShards];

  Mutex open_mutex_;
  std::deque<Slot> slots_ ABSL_GUARDED_BY(open_mutex_);
  std::vector<Slot*> free_ ABSL_GUARDED_BY(open_mutex_);
};

}  // namespace predial
