#include "plugin/metrics/target_snapshot.h"

#include <cstddef>
#include <utility>

#include "plugin/core/types.h"

namespace predial {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

// A family with one series for each target, or none where `value` gives nullopt.
template <typename Value>
void AddPerTarget(const std::vector<TargetSnapshot>& snapshots, MetricFamily family, Value value,
                  Families* families) {
  for (const TargetSnapshot& snapshot : snapshots) {
    const std::optional<double> number = value(snapshot);
    if (number.has_value()) AddValue({{"target", snapshot.target}}, *number, &family);
  }
  AddFamily(std::move(family), families);
}

void AddGauge(const std::vector<TargetSnapshot>& snapshots, const char* name,
              int64_t PoolGauges::*field, const char* help, Families* families) {
  AddPerTarget(
      snapshots, MakeFamily(name, MetricType::Gauge, help),
      [field](const TargetSnapshot& snapshot) -> std::optional<double> {
        if (!snapshot.gauges.has_value()) return std::nullopt;
        return static_cast<double>((*snapshot.gauges).*field);
      },
      families);
}

void AddTotal(const std::vector<TargetSnapshot>& snapshots, const char* name,
              int64_t PoolTotals::*field, const char* help, Families* families) {
  AddPerTarget(
      snapshots, MakeFamily(name, MetricType::Counter, help),
      [field](const TargetSnapshot& snapshot) -> std::optional<double> {
        return static_cast<double>(snapshot.totals.*field);
      },
      families);
}

// One series for each target and index of the array, which `text` gives the label's value for.
template <typename Array, typename Text>
void AddTotals(const std::vector<TargetSnapshot>& snapshots, const char* name, const char* label,
               Array PoolTotals::*field, Text text, const char* help, Families* families) {
  MetricFamily family = MakeFamily(name, MetricType::Counter, help);
  for (const TargetSnapshot& snapshot : snapshots) {
    const Array& counters = snapshot.totals.*field;
    for (size_t i = 0; i < counters.size(); ++i) {
      AddValue({{"target", snapshot.target}, {label, text(i)}}, static_cast<double>(counters[i]),
               &family);
    }
  }
  AddFamily(std::move(family), families);
}

void AddHistograms(const std::vector<TargetSnapshot>& snapshots, const char* name,
                   prometheus::ClientMetric::Histogram TargetSnapshot::*field, const char* help,
                   Families* families) {
  MetricFamily family = MakeFamily(name, MetricType::Histogram, help);
  for (const TargetSnapshot& snapshot : snapshots) {
    AddHistogram({{"target", snapshot.target}}, snapshot.*field, &family);
  }
  AddFamily(std::move(family), families);
}

void AddStates(const Labels& labels, const ConnectionCounts& counts, MetricFamily* family) {
  for (const auto& [state, count] :
       {std::pair("ready", counts.ready), std::pair("connecting", counts.connecting),
        std::pair("ejected", counts.ejected), std::pair("draining", counts.draining)}) {
    Labels with_state = labels;
    with_state.push_back({"state", state});
    AddValue(std::move(with_state), static_cast<double>(count), family);
  }
}

void AddConnections(const std::vector<TargetSnapshot>& snapshots, bool by_endpoint,
                    Families* families) {
  MetricFamily family = MakeFamily("predial_connections", MetricType::Gauge,
                                   "Connections of the pool, by state. Spares are not included.");
  for (const TargetSnapshot& snapshot : snapshots) {
    if (!snapshot.gauges.has_value()) continue;
    if (!by_endpoint) {
      AddStates({{"target", snapshot.target}}, snapshot.gauges->connections, &family);
      continue;
    }
    for (const auto& [address, counts] : snapshot.gauges->endpoints) {
      AddStates({{"target", snapshot.target}, {"endpoint", address}}, counts, &family);
    }
  }
  AddFamily(std::move(family), families);
}

void AddBackends(const std::vector<TargetSnapshot>& snapshots, Families* families) {
  MetricFamily family =
      MakeFamily("predial_backend_connections", MetricType::Gauge,
                 "Connections by the name that the server at their end gives itself.");
  for (const TargetSnapshot& snapshot : snapshots) {
    if (!snapshot.gauges.has_value()) continue;
    for (const auto& [backend, count] : snapshot.gauges->backends) {
      AddValue({{"target", snapshot.target}, {"backend", backend}}, static_cast<double>(count),
               &family);
    }
  }
  AddFamily(std::move(family), families);
}

void AddModes(const std::vector<TargetSnapshot>& snapshots, Families* families) {
  MetricFamily family =
      MakeFamily("predial_pools", MetricType::Gauge, "Pools, by how their connections are made.");
  for (const TargetSnapshot& snapshot : snapshots) {
    if (!snapshot.gauges.has_value()) continue;
    for (size_t i = 0; i < kPoolModes.size(); ++i) {
      AddValue({{"target", snapshot.target}, {"mode", kPoolModes[i]}},
               static_cast<double>(snapshot.gauges->modes[i]), &family);
    }
  }
  AddFamily(std::move(family), families);
}

}  // namespace

void AddFamilies(const std::vector<TargetSnapshot>& snapshots, bool by_endpoint,
                 Families* families) {
  AddModes(snapshots, families);
  AddConnections(snapshots, by_endpoint, families);
  AddBackends(snapshots, families);
  AddGauge(snapshots, "predial_connections_min", &PoolGauges::connections_min,
           "Connections that the pool keeps ready: its connections_min.", families);
  AddGauge(snapshots, "predial_connections_max", &PoolGauges::connections_max,
           "Most connections that the pool may have: its connections_max.", families);
  AddGauge(snapshots, "predial_connections_wanted", &PoolGauges::connections_wanted,
           "Connections that there should be, by PoolOptions::sizing, within min and max.",
           families);
  AddGauge(snapshots, "predial_spares", &PoolGauges::spares,
           "Sockets dialed ahead of need and not yet in use.", families);
  AddGauge(snapshots, "predial_leases", &PoolGauges::leases,
           "RPCs in flight on the pool's connections.", families);
  AddGauge(snapshots, "predial_checkout_waiters", &PoolGauges::checkout_waiters,
           "RPCs that wait for a place on a connection.", families);
  AddGauge(snapshots, "predial_panic", &PoolGauges::panicking,
           "Pools that ignore health because too many of their connections are ejected.", families);
  AddPerTarget(
      snapshots,
      MakeFamily("predial_peer_max_concurrent_streams", MetricType::Gauge,
                 "Smallest SETTINGS_MAX_CONCURRENT_STREAMS among the ready connections; absent if "
                 "none has a limit."),
      [](const TargetSnapshot& snapshot) -> std::optional<double> {
        if (!snapshot.gauges.has_value()) return std::nullopt;
        const int64_t streams = snapshot.gauges->peer_max_concurrent_streams;
        return streams == 0 ? std::nullopt : std::optional<double>(static_cast<double>(streams));
      },
      families);

  AddPerTarget(
      snapshots,
      MakeFamily("predial_proven_lifetime_seconds", MetricType::Gauge,
                 "Shortest age at which an endpoint has been found to end its connections; absent "
                 "if none does, as far as is known."),
      [](const TargetSnapshot& snapshot) -> std::optional<double> {
        if (!snapshot.gauges.has_value()) return std::nullopt;
        const double seconds = snapshot.gauges->proven_lifetime_seconds;
        return seconds == 0 ? std::nullopt : std::optional<double>(seconds);
      },
      families);

  AddTotals(
      snapshots, "predial_checkouts_total", "source", &PoolTotals::checkouts,
      [](size_t i) { return kCheckoutSources[i]; },
      "RPCs by what carried them: a used connection, a new one, or the anchor.", families);
  AddHistograms(snapshots, "predial_checkout_seconds", &TargetSnapshot::checkout,
                "Time from an RPC's entry into the pool to the choice of its connection.",
                families);
  AddTotal(snapshots, "predial_checkout_waits_total", &PoolTotals::checkout_waits,
           "RPCs that waited for a place on a connection, with success or without.", families);
  AddPerTarget(
      snapshots,
      MakeFamily("predial_checkout_wait_seconds_total", MetricType::Counter,
                 "Time that RPCs waited for a place on a connection, all together."),
      [](const TargetSnapshot& snapshot) -> std::optional<double> {
        return static_cast<double>(snapshot.totals.checkout_wait_nanos) / 1e9;
      },
      families);
  AddTotals(
      snapshots, "predial_checkouts_rejected_total", "reason", &PoolTotals::rejected,
      [](size_t i) { return ToString(static_cast<RejectReason>(i)); },
      "RPCs that failed because all connections were full, by reason.", families);
  AddTotals(
      snapshots, "predial_dials_total", "result", &PoolTotals::dials,
      [](size_t i) { return ToString(static_cast<DialResult>(i)); }, "Dials that ended, by result.",
      families);
  AddTotal(snapshots, "predial_sockets_adopted_total", &PoolTotals::sockets_adopted,
           "Sockets dialed by the pool that gRPC took for its own connections, in managed mode.",
           families);
  AddTotal(snapshots, "predial_grpc_dials_total", &PoolTotals::dials_by_grpc,
           "Connections of the pool that gRPC dialed by itself, in managed mode.", families);
  AddHistograms(snapshots, "predial_dial_seconds", &TargetSnapshot::dial,
                "Time that successful dials took.", families);
  AddTotals(
      snapshots, "predial_connections_closed_total", "reason", &PoolTotals::closed,
      [](size_t i) { return ToString(static_cast<CloseReason>(i)); },
      "Connections that were closed, by reason.", families);
  AddTotals(
      snapshots, "predial_health_checks_total", "result", &PoolTotals::health_checks,
      [](size_t i) { return ToString(static_cast<HealthResult>(i)); },
      "Health checks and messages of health watches, by result.", families);
  AddTotals(
      snapshots, "predial_rotations_total", "reason", &PoolTotals::rotations,
      [](size_t i) { return ToString(static_cast<RotateReason>(i)); },
      "Connections that were replaced although they worked, by reason.", families);
  AddTotals(
      snapshots, "predial_rpcs_retried_total", "reason", &PoolTotals::rpcs_retried,
      [](size_t i) { return ToString(static_cast<NeverSent>(i)); },
      "RPCs that no server saw and that were sent again, by what their connection said.", families);
  AddTotals(
      snapshots, "predial_rpcs_lost_total", "reason", &PoolTotals::rpcs_lost,
      [](size_t i) { return ToString(static_cast<LossReason>(i)); },
      "RPCs that failed because their connection ended, by why they were not sent again.",
      families);
  AddTotal(snapshots, "predial_ejections_total", &PoolTotals::ejections,
           "Times that health took a connection out of use.", families);
  AddTotal(snapshots, "predial_readmissions_total", &PoolTotals::readmissions,
           "Times that health put a connection back into use.", families);
}

}  // namespace predial
