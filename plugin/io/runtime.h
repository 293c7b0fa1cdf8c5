// Runtime: the two threads that serve all pools of a process, while there is one.
#pragma once

#include <memory>

#include "plugin/io/epoll_loop.h"
#include "plugin/io/grpc_poller.h"

namespace predial {

class Runtime {
 public:
  // The process's runtime, started if there is none; a forked child's is not its parent's. It ends
  // when the last owner lets go: on that thread, or, if that is one of its own two, on a thread
  // made for it.
  static std::shared_ptr<Runtime> Get();

  EpollLoop& loop() { return loop_; }
  GrpcPoller& poller() { return poller_; }

 private:
  Runtime() = default;

  EpollLoop loop_;
  GrpcPoller poller_;
};

}  // namespace predial
