// Spillover: where streams go that find every connection full while the pool grows.
//
// gRPC never takes an RPC back from a connection: one above the server's stream limit waits there
// until others on it have ended, and streams may never end, however many connections come after.
// So a stream that finds no room goes on an ordinary channel, which connects for it, as the pool's
// next members do meanwhile. Once they are there it takes no more, and goes with its last stream.
// Other RPCs come here only where no member may exceed its limit yet: see Slot::MayExceed().
//
// Threads:   Acquire(): any. The rest: the event loop's thread.
// Ownership: refers to its table, which must outlive it, and has the channels.
// Limits:    as many channels at a time as SetRoom() says.
#pragma once

#include <grpcpp/channel.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "plugin/member_table.h"
#include "plugin/mutex.h"

namespace predial {

class Spillover {
 public:
  // `create` makes a channel that is not connected; on the threads of Acquire().
  Spillover(MemberTable& table, std::function<std::shared_ptr<grpc::Channel>()> create)
      : table_(table), create_(std::move(create)) {}
  Spillover(const Spillover&) = delete;

  // Empty if there is no room. No lock is taken while there is room for no channel.
  Lease Acquire() ABSL_LOCKS_EXCLUDED(mutex_);

  // From now on there are at most so many channels that take streams; each new one has
  // `stream_limit` at a time. 0 to begin with.
  void SetRoom(int channels, uint32_t stream_limit) ABSL_LOCKS_EXCLUDED(mutex_);
  // Those that take streams.
  std::vector<Slot*> Open() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, and they are the caller's to close: none is left.
  std::vector<Slot*> Release() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  MemberTable& table_;
  const std::function<std::shared_ptr<grpc::Channel>()> create_;

  std::atomic<int> room_{0};
  mutable Mutex mutex_;
  uint32_t stream_limit_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Slot*> open_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace predial
