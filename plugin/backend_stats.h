// The bounded list of PoolStats::backends.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plugin/stats.h"

namespace predial {

// `connections` by the servers' names, in order. Of more than kBackendsMax names the ones with the
// fewest connections are summed up as "other", which comes last.
std::vector<BackendStats> MakeBackendStats(const std::map<std::string, int>& connections);

}  // namespace predial
