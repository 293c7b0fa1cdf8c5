// PrometheusOptions: what can be set about a PrometheusObserver. A plain struct; every field has a
// default that suits production.
#pragma once

#include <vector>

#include "absl/status/status.h"

namespace predial {

struct PrometheusOptions {
  // Upper bounds, in seconds, of the buckets of grpc_client_handling_seconds; +Inf is added. Each
  // costs one series per method, and 8 bytes of memory per method and shard. 1 to 64 bounds,
  // ascending, each in [1e-9, 1e9]. Default: 100 us to 10 s.
  std::vector<double> latency_buckets = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                         0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};

  // The same of predial_checkout_seconds, per target. Default: 100 ns to 1 s.
  std::vector<double> checkout_buckets = {1e-7,    2.5e-7, 5e-7,  1e-6, 2.5e-6, 5e-6,
                                          0.00001, 0.0001, 0.001, 0.01, 0.1,    1};

  // The same of predial_dial_seconds, per target. Default: 100 us to 10 s.
  std::vector<double> dial_buckets = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                      0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};

  // Whether predial_connections has a label `endpoint`, the resolved address, beside `target`. It
  // multiplies that metric's series, and addresses come and go. Default false.
  bool endpoint_label = false;

  // With endpoint_label: most endpoints of one target that a scrape names; the rest are summed as
  // "other". Default 100; range [1, 100000].
  int endpoints_max = 100;

  // Most methods that the grpc_client_* metrics name, a method counting once for each kind of RPC;
  // later ones are counted as grpc_service "other", grpc_method "other". Default 1000; range [1,
  // 100000].
  int methods_max = 1000;

  // Most targets that the predial_* metrics name, over the observer's life; later ones are summed
  // as target "other". Default 1000; range [1, 100000].
  int targets_max = 1000;

  // INVALID_ARGUMENT names the field, its value and its range.
  absl::Status Validate() const;
};

}  // namespace predial
