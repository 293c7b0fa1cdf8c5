// ByteQueue: bytes in their order, in at the end and out at the front. A ring that grows as needed
// and keeps what it has.
//
// Threads: thread-compatible.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <vector>

namespace predial {

class ByteQueue {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void Append(const char* data, size_t size);

  // Where the first bytes lie, at most `limit` of them: in one or two pieces, as sendmsg(2) takes
  // them. Returns how many pieces; 0 if there are no bytes. Good until the next Append() or Pop().
  int Front(size_t limit, iovec (&pieces)[2]);

  // Drops the first `size` bytes, of at least as many.
  void Pop(size_t size);

  // Drops all, and the memory.
  void Clear();

 private:
  void Grow(size_t wanted);

  std::vector<char> ring_;
  size_t head_ = 0;  // of the first byte, in ring_
  size_t size_ = 0;
};

}  // namespace predial
