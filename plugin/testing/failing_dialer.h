// FailingDialer: a Dialer whose every dial fails, so that a pool never has a member and its RPCs
// take the anchor.
//
// Threads: that of the loop that it dials on.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "plugin/core/types.h"
#include "plugin/io/address.h"
#include "plugin/io/dialer.h"
#include "plugin/io/event_loop.h"

namespace predial {

class FailingDialer final : public Dialer {
 public:
  std::unique_ptr<PendingDial> Dial(EventLoop& loop, const std::vector<Address>&,
                                    Done done) override {
    return std::make_unique<Failure>(loop, std::move(done));
  }

 private:
  class Failure final : public PendingDial {
   public:
    Failure(EventLoop& loop, Done done) : loop_(loop) {
      timer_ = loop_.RunAt(loop_.Now(), [done = std::move(done)]() mutable {
        auto moved = std::move(done);
        moved(DialError(DialResult::kRefused, "this dialer always fails"));
      });
    }
    ~Failure() override { loop_.Cancel(timer_); }

   private:
    EventLoop& loop_;
    EventLoop::TimerId timer_;
  };
};

}  // namespace predial
