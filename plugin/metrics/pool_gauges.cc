#include "plugin/metrics/pool_gauges.h"

#include <iterator>

#include "plugin/metrics/label_text.h"

namespace predial {

void ConnectionCounts::Add(const ConnectionCounts& other) {
  ready += other.ready;
  connecting += other.connecting;
  ejected += other.ejected;
  draining += other.draining;
}

void PoolGauges::Add(const PoolStats& stats, bool by_endpoint) {
  for (const EndpointStats& endpoint : stats.endpoints) {
    ConnectionCounts counts;
    counts.ready = endpoint.ready;
    counts.connecting = endpoint.connecting;
    counts.ejected = endpoint.ejected;
    counts.draining = endpoint.draining;
    connections.Add(counts);
    if (by_endpoint) endpoints[LabelText(endpoint.address)].Add(counts);
    spares += endpoint.spares;
  }
  for (const BackendStats& backend : stats.backends) {
    backends[LabelText(backend.name)] += backend.connections;
  }
  // The last: gRPC is given no sockets, and dials by itself.
  ++modes[stats.mode != "managed" ? 0 : stats.adoption == "ok" ? 1 : 2];
  connections_min += stats.connections_min;
  connections_max += stats.connections_max;
  connections_wanted += stats.connections_wanted;
  leases += stats.leases;
  checkout_waiters += stats.checkout_waiters;
  panicking += stats.panic ? 1 : 0;
  const int64_t streams = stats.peer_max_concurrent_streams;
  if (streams != 0 && (peer_max_concurrent_streams == 0 || streams < peer_max_concurrent_streams)) {
    peer_max_concurrent_streams = streams;
  }
  const double lifetime = stats.proven_lifetime_seconds;
  if (lifetime != 0 && (proven_lifetime_seconds == 0 || lifetime < proven_lifetime_seconds)) {
    proven_lifetime_seconds = lifetime;
  }
}

void PoolGauges::LimitEndpoints(size_t max) {
  if (endpoints.size() <= max) return;
  ConnectionCounts rest;
  const auto first_of_rest = std::next(endpoints.begin(), static_cast<std::ptrdiff_t>(max));
  for (auto it = first_of_rest; it != endpoints.end(); ++it) rest.Add(it->second);
  endpoints.erase(first_of_rest, endpoints.end());
  endpoints["other"].Add(rest);
}

void PoolGauges::LimitBackends(size_t max) {
  if (backends.size() <= max) return;
  int64_t rest = 0;
  const auto first_of_rest = std::next(backends.begin(), static_cast<std::ptrdiff_t>(max));
  for (auto it = first_of_rest; it != backends.end(); ++it) rest += it->second;
  backends.erase(first_of_rest, backends.end());
  backends["other"] += rest;
}

}  // namespace predial
