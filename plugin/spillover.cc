#include "plugin/spillover.h"

#include <utility>

namespace predial {

Lease Spillover::Acquire() {
  if (room_.load(std::memory_order_relaxed) == 0) return Lease();
  MutexLock lock(mutex_);
  for (Slot* slot : open_) {
    if (Lease lease = table_.AcquireUnpublished(slot)) return lease;
  }
  if (static_cast<int>(open_.size()) >= room_.load(std::memory_order_relaxed)) return Lease();
  open_.push_back(table_.Open(MemberId{}, create_(), stream_limit_));
  return table_.AcquireUnpublished(open_.back());
}

void Spillover::SetRoom(int channels, uint32_t stream_limit) {
  MutexLock lock(mutex_);
  room_.store(channels, std::memory_order_relaxed);
  stream_limit_ = stream_limit;
}

std::vector<Slot*> Spillover::Open() const {
  MutexLock lock(mutex_);
  return open_;
}

std::vector<Slot*> Spillover::Release() {
  MutexLock lock(mutex_);
  return std::exchange(open_, {});
}

}  // namespace predial
