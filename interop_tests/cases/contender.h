// Contender: a channel to run the cases over, by name. An ordinary one, which says what is right,
// or a pool in one of its modes.
//
//   ordinary              grpc::CreateCustomChannel
//   round_robin, power_of_two_choices, least_loaded, peak_ewma
//                         a pool with that picker
//   affinity              a pool that chooses by a metadata key
//   exclusive             PoolOptions::Exclusive(): one RPC at a time on a connection
//   anchor                a pool that never has a member: its RPCs take its ordinary channel
//
// Threads: one thread at a time; the channel itself is any thread's.
#pragma once

#include <grpcpp/impl/channel_interface.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "plugin/pooled_channel.h"

namespace predial {

struct ContenderConfig {
  std::string name;
  std::string target;
  std::string authority = {};  // "": what the target says
  // How long a pool's members may take to be ready.
  std::chrono::milliseconds ready_within{10000};
};

class Contender {
 public:
  static const std::vector<std::string>& Names();

  // Returns when the pool has all the members that it should at least have. INVALID_ARGUMENT: no
  // such name, or a target that a pool cannot have; UNAVAILABLE: too few members in time, and why.
  static absl::StatusOr<std::unique_ptr<Contender>> Create(const ContenderConfig& config);

  const ContenderConfig& config() const { return config_; }
  const std::shared_ptr<grpc::ChannelInterface>& channel() const { return channel_; }
  // The key that RPCs need a value for; "" if none.
  const std::string& affinity_key() const { return affinity_key_; }

  // Before RPCs: waits for members, as Create() does.
  absl::Status Begin();
  // After RPCs have ended, at least one since Begin(): whether all went over members, or for
  // "anchor" none, and all have been given back. Waits for that, because the lease of an RPC that
  // was cancelled may come back a moment after its status.
  absl::Status End(std::chrono::milliseconds returned_within = std::chrono::seconds(5));

 private:
  // RPCs by the way that they took.
  struct Ways {
    int64_t members = 0;
    int64_t anchor = 0;
  };

  explicit Contender(ContenderConfig config) : config_(std::move(config)) {}
  bool has_members() const { return pool_ != nullptr && config_.name != "anchor"; }
  Ways CountWays() const;

  const ContenderConfig config_;
  std::string affinity_key_;
  std::shared_ptr<PooledChannel> pool_;  // null: ordinary
  std::shared_ptr<grpc::ChannelInterface> channel_;
  Ways at_begin_;
};

}  // namespace predial
