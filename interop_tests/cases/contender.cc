#include "interop_tests/cases/contender.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "plugin/options.h"
#include "plugin/stats.h"
#include "plugin/testing/failing_dialer.h"

namespace predial {
namespace {

constexpr char kAffinityKey[] = "x-predial-interop-affinity";

// The options of the pool of that name.
PoolOptions OptionsOf(const std::string& name) {
  PoolOptions options;
  if (name == "power_of_two_choices") options.picker = PickerKind::kPowerOfTwoChoices;
  if (name == "least_loaded") options.picker = PickerKind::kLeastLoaded;
  if (name == "peak_ewma") options.picker = PickerKind::kPeakEwma;
  if (name == "affinity") options.affinity_metadata = kAffinityKey;
  if (name == "exclusive") options = PoolOptions::Exclusive();
  if (name == "anchor") {
    options.dialer = std::make_shared<FailingDialer>();
    options.backoff.initial = options.backoff.max = options.backoff.under_demand = absl::Hours(1);
  }
  return options;
}

int ReadyMembers(const PoolStats& stats) {
  int ready = 0;
  for (const EndpointStats& endpoint : stats.endpoints) ready += endpoint.ready;
  return ready;
}

}  // namespace

const std::vector<std::string>& Contender::Names() {
  static const auto* const names = new std::vector<std::string>{
      "ordinary",  "round_robin", "power_of_two_choices", "least_loaded", "peak_ewma", "affinity",
      "exclusive", "anchor"};
  return *names;
}

absl::StatusOr<std::unique_ptr<Contender>> Contender::Create(const ContenderConfig& config) {
  const auto& names = Names();
  if (std::find(names.begin(), names.end(), config.name) == names.end()) {
    return absl::InvalidArgumentError(absl::StrCat("there is no channel \"", config.name,
                                                   "\"; there are ", absl::StrJoin(names, ", ")));
  }
  std::unique_ptr<Contender> contender(new Contender(config));
  const auto credentials = grpc::InsecureChannelCredentials();
  grpc::ChannelArguments args;
  if (!config.authority.empty()) args.SetString(GRPC_ARG_DEFAULT_AUTHORITY, config.authority);
  if (config.name == "ordinary") {
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    contender->channel_ = grpc::CreateCustomChannel(config.target, credentials, args);
    return contender;
  }
  const PoolOptions options = OptionsOf(config.name);
  auto pool = PooledChannel::TryCreate(config.target, credentials, args, options);
  if (!pool.ok()) return pool.status();
  contender->pool_ = *pool;
  contender->channel_ = *std::move(pool);
  contender->affinity_key_ = options.affinity_metadata;
  const absl::Status ready = contender->Begin();
  if (!ready.ok()) return ready;
  return contender;
}

absl::Status Contender::Begin() {
  if (has_members()) {
    PoolStats stats;
    const auto patience = std::chrono::steady_clock::now() + config_.ready_within;
    do {
      std::this_thread::yield();
      stats = pool_->Stats();
    } while (ReadyMembers(stats) < stats.connections_min &&
             std::chrono::steady_clock::now() < patience);
    if (ReadyMembers(stats) < stats.connections_min) {
      return absl::UnavailableError(absl::StrCat(
          "of ", stats.connections_min, " members that the pool should have, ", ReadyMembers(stats),
          " were ready within ", config_.ready_within.count(), " ms: ", stats.last_error));
    }
  }
  at_begin_ = CountWays();
  return absl::OkStatus();
}

absl::Status Contender::End(std::chrono::milliseconds returned_within) {
  if (pool_ == nullptr) return absl::OkStatus();
  const auto patience = std::chrono::steady_clock::now() + returned_within;
  int64_t leases = pool_->Stats().leases;
  while (leases != 0 && std::chrono::steady_clock::now() < patience) {
    std::this_thread::yield();
    leases = pool_->Stats().leases;
  }
  if (leases != 0) {
    return absl::InternalError(
        absl::StrCat(leases, " leases were not given back after all RPCs had ended"));
  }
  const Ways now = CountWays();
  const int64_t members = now.members - at_begin_.members;
  const int64_t anchor = now.anchor - at_begin_.anchor;
  const int64_t wrong = has_members() ? anchor : members;
  if (wrong == 0 && members + anchor > 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("RPCs should have gone over the ",
                                          has_members() ? "members" : "anchor", " only: ", members,
                                          " went over members, ", anchor, " over the anchor"));
}

Contender::Ways Contender::CountWays() const {
  if (pool_ == nullptr) return {};
  const PoolStats stats = pool_->Stats();
  return {stats.checkouts_new + stats.checkouts_reused, stats.checkouts_anchor};
}

}  // namespace predial
