#include "plugin/metrics/sharded_counters.h"

#include <memory>

namespace predial {

ShardedCounters::~ShardedCounters() {
  for (std::atomic<Shard::Line*>& slot : shards_) delete[] slot.load(std::memory_order_acquire);
}

uint64_t ShardedCounters::Sum(size_t index) const {
  uint64_t sum = 0;
  for (const std::atomic<Shard::Line*>& slot : shards_) {
    const Shard::Line* lines = slot.load(std::memory_order_acquire);
    if (lines == nullptr) continue;
    sum += lines[index / Shard::kPerLine].counters[index % Shard::kPerLine].load(
        std::memory_order_acquire);
  }
  return sum;
}

size_t ShardedCounters::NextShard() {
  static std::atomic<size_t> next{0};
  return next.fetch_add(1, std::memory_order_relaxed) % kShards;
}

ShardedCounters::Shard::Line* ShardedCounters::Allocate(std::atomic<Shard::Line*>& slot) const {
  const size_t count = (size_ + Shard::kPerLine - 1) / Shard::kPerLine;
  auto lines = std::make_unique<Shard::Line[]>(count);
  Shard::Line* present = nullptr;
  // Another thread of this shard may be first; then its lines are used and these go.
  if (!slot.compare_exchange_strong(present, lines.get(), std::memory_order_acq_rel,
                                    std::memory_order_acquire)) {
    return present;
  }
  return lines.release();
}

}  // namespace predial
