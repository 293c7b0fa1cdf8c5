// ForkGuard: whether this process was forked from one that used Predial or gRPC.
//
// A child of fork() has copies of its parent's memory and descriptors, but one thread: nobody runs
// its loops, and a lock that another thread held stays locked for ever. And its sockets are the
// parent's: what it wrote to them would break the parent's connections. So what was made before a
// fork is left alone in the child, and what the child needs it makes anew.
//
// gRPC itself cannot do that: when it is in use at the time of the fork, its channels in the child
// hang, and share their epoll set with the parent's.
//
// Threads: thread-safe, lock-free.
#pragma once

#include <cstdint>

namespace predial {

// How many forks this process is away from the one that was started first. What was made when this
// was another number belongs to a parent.
uint32_t ForkCount();

// Whether gRPC was in use in a parent at the time of a fork.
bool ForkedWhileGrpcWasInUse();

// A thread of ours about to work inside gRPC, where it takes locks: not during a fork, or the child
// would inherit them locked. A fork waits up to a second for visits of other threads.
class GrpcVisit {
 public:
  GrpcVisit();
  ~GrpcVisit();
  GrpcVisit(const GrpcVisit&) = delete;

  // False during a fork: leave gRPC alone and come again.
  bool allowed() const { return allowed_; }

 private:
  bool allowed_;
};

}  // namespace predial
