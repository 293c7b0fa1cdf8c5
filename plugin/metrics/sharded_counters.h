// ShardedCounters: a fixed number of counters that many threads raise without meeting each other.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace predial {

// A few counters over kShards copies. A thread always raises the same copy, so that threads share
// cache lines only when there are more of them than shards; Sum() adds the copies up.
//
//   thread 0 --> shard 0  [c0 c1 c2 …]  its own cache lines, made at its first Local()
//   thread 1 --> shard 1  [c0 c1 c2 …]
//   thread 2 --> shard 2  not there yet: costs a pointer
//
// Threads:   everything is thread-safe and lock-free. No count is lost, whatever the number of
//            threads.
// Order:     Add() releases and Sum() acquires: when a Sum() has seen an Add(), later Sum()s, of
//            any ShardedCounters, see everything that happened before that Add().
// Memory:    per shard in use 8 bytes a counter, rounded up to whole cache lines of 64 bytes.
class ShardedCounters {
 public:
  static constexpr size_t kShards = 16;

  // One thread's copy; valid as long as the ShardedCounters.
  class Shard {
   public:
    // `index` < size.
    void Add(size_t index, uint64_t n) {
      lines_[index / kPerLine].counters[index % kPerLine].fetch_add(n, std::memory_order_release);
    }

   private:
    friend class ShardedCounters;
    struct alignas(64) Line {
      std::array<std::atomic<uint64_t>, 8> counters = {};
    };
    static constexpr size_t kPerLine = 8;

    explicit Shard(Line* lines) : lines_(lines) {}

    Line* lines_;
  };

  explicit ShardedCounters(size_t size) : size_(size) {}
  ~ShardedCounters();
  ShardedCounters(const ShardedCounters&) = delete;
  ShardedCounters& operator=(const ShardedCounters&) = delete;

  // The calling thread's copy. Allocates when it is the first thread of its shard.
  Shard Local() {
    std::atomic<Shard::Line*>& slot = shards_[ThreadShard()];
    Shard::Line* lines = slot.load(std::memory_order_acquire);
    return Shard(lines != nullptr ? lines : Allocate(slot));
  }

  // All copies of one counter together; wraps at 2^64. `index` < size.
  uint64_t Sum(size_t index) const;

  size_t size() const { return size_; }

 private:
  // The calling thread's shard: threads take them in turn.
  static size_t ThreadShard() {
    thread_local const size_t shard = NextShard();
    return shard;
  }
  static size_t NextShard();

  Shard::Line* Allocate(std::atomic<Shard::Line*>& slot) const;

  const size_t size_;
  std::array<std::atomic<Shard::Line*>, kShards> shards_ = {};
};

}  // namespace predial
