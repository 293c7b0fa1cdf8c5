#include "benchmarks/compare/byte_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace predial {

void ByteQueue::Append(const char* data, size_t size) {
  if (size == 0) return;
  if (size_ + size > ring_.size()) Grow(size_ + size);
  const size_t tail = (head_ + size_) % ring_.size();
  const size_t first = std::min(size, ring_.size() - tail);
  std::memcpy(&ring_[tail], data, first);
  std::memcpy(ring_.data(), data + first, size - first);
  size_ += size;
}

int ByteQueue::Front(size_t limit, iovec (&pieces)[2]) {
  const size_t wanted = std::min(limit, size_);
  if (wanted == 0) return 0;
  const size_t first = std::min(wanted, ring_.size() - head_);
  pieces[0] = {&ring_[head_], first};
  pieces[1] = {ring_.data(), wanted - first};
  return wanted == first ? 1 : 2;
}

void ByteQueue::Pop(size_t size) {
  size_ -= size;
  head_ = size_ == 0 ? 0 : (head_ + size) % ring_.size();
}

void ByteQueue::Clear() { *this = ByteQueue(); }

void ByteQueue::Grow(size_t wanted) {
  std::vector<char> ring(std::max(wanted, 2 * ring_.size()));
  iovec pieces[2];
  char* to = ring.data();
  for (int i = 0, count = Front(size_, pieces); i < count; ++i) {
    std::memcpy(to, pieces[i].iov_base, pieces[i].iov_len);
    to += pieces[i].iov_len;
  }
  ring_ = std::move(ring);
  head_ = 0;
}

}  // namespace predial
