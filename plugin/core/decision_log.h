// DecisionLog: the last decisions of a pool with their reasons, for whoever asks later why a
// connection was taken out. Bounded. Pure.
//
// Threads: thread-compatible.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <utility>

#include "plugin/core/types.h"

namespace predial {

struct Decision {
  Time when;
  const char* what;       // "drain", "eject", "readmit", "rotate", …: static text
  MemberId member{};      // 0: about the endpoint
  EndpointId endpoint{};  // 0: about the pool
  std::string reason;
};

class DecisionLog {
 public:
  static constexpr size_t kMax = 500;

  void Add(Decision decision) {
    if (decisions_.size() == kMax) decisions_.pop_front();
    decisions_.push_back(std::move(decision));
  }
  // The oldest first.
  const std::deque<Decision>& decisions() const { return decisions_; }

 private:
  std::deque<Decision> decisions_;
};

}  // namespace predial
