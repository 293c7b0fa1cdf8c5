#include "plugin/backend_stats.h"

#include <algorithm>
#include <cstddef>

namespace predial {

std::vector<BackendStats> MakeBackendStats(const std::map<std::string, int>& connections) {
  std::vector<BackendStats> backends;
  for (const auto& [name, count] : connections) backends.push_back({name, count});
  if (backends.size() <= kBackendsMax) return backends;
  std::stable_sort(
      backends.begin(), backends.end(),
      [](const BackendStats& a, const BackendStats& b) { return a.connections > b.connections; });
  BackendStats rest{"other", 0};
  for (size_t i = kBackendsMax; i < backends.size(); ++i)
    rest.connections += backends[i].connections;
  backends.resize(kBackendsMax);
  std::sort(backends.begin(), backends.end(),
            [](const BackendStats& a, const BackendStats& b) { return a.name < b.name; });
  backends.push_back(rest);
  return backends;
}

}  // namespace predial
