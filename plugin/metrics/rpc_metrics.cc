#include "plugin/metrics/rpc_metrics.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "plugin/metrics/rpc_method.h"

namespace predial {
namespace {

constexpr char kOther[] = "other";
constexpr char kUnknown[] = "unknown";

const char* TypeName(RpcType type) {
  switch (type) {
    case RpcType::kUnary:
      return "unary";
    case RpcType::kClientStream:
      return "client_stream";
    case RpcType::kServerStream:
      return "server_stream";
    case RpcType::kBidiStream:
      return "bidi_stream";
  }
  return kUnknown;
}

// Short, since it runs for each RPC: eight bytes at a time are mixed in by xor and a multiplication
// with 2^64 / the golden ratio, whose high bits, the best mixed, come down to where the next bytes
// and the table's mask meet them. Names are the application's own: nobody chooses them in order to
// collide, and the table is bounded.
size_t Hash(RpcType type, absl::string_view name) {
  uint64_t hash = name.size() * 4 + static_cast<uint64_t>(type);
  const auto mix = [&hash](uint64_t bytes) {
    hash = (hash ^ bytes) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  };
  uint64_t bytes = 0;
  if (name.size() < sizeof(bytes)) {
    for (char c : name) bytes = bytes << 8 | static_cast<unsigned char>(c);
    mix(bytes);
    return hash;
  }
  const char* const last = name.data() + name.size() - sizeof(bytes);
  for (const char* at = name.data(); at < last; at += sizeof(bytes)) {
    std::memcpy(&bytes, at, sizeof(bytes));
    mix(bytes);
  }
  std::memcpy(&bytes, last, sizeof(bytes));  // may overlap those before
  mix(bytes);
  return hash;
}

size_t SlotsFor(size_t methods) {
  size_t slots = 8;
  while (slots < 2 * methods) slots *= 2;
  return slots;
}

bool IsBoth(const RpcMethod& parts, absl::string_view name) {
  return parts.service == name && parts.method == name;
}

Labels SeriesLabels(const RpcSeries& series) {
  return {{"grpc_type", TypeName(series.type)},
          {"grpc_service", series.service},
          {"grpc_method", series.method}};
}

}  // namespace

RpcMetrics::RpcMetrics(std::vector<double> latency_buckets, int methods_max)
    : bounds_(std::move(latency_buckets)),
      methods_max_(static_cast<size_t>(methods_max)),
      slots_mask_(SlotsFor(methods_max_) - 1),
      slots_(new std::atomic<RpcSeries*>[slots_mask_ + 1]()),
      other_(MakeShared(kOther)),
      unknown_(MakeShared(kUnknown)) {}

RpcMetrics::~RpcMetrics() = default;

RpcMetrics::PerType RpcMetrics::MakeShared(const char* name) const {
  PerType series;
  for (size_t type = 0; type < series.size(); ++type) {
    series[type] = std::make_unique<RpcSeries>(static_cast<RpcType>(type), name, name, "", bounds_);
  }
  return series;
}

RpcSeries* RpcMetrics::Start(RpcType type, absl::string_view method) {
  const size_t hash = Hash(type, method);
  RpcSeries* series = Find(hash, type, method);
  if (series == nullptr) series = FindOrAdd(hash, type, method);
  series->Started();
  return series;
}

RpcSeries* RpcMetrics::Find(size_t hash, RpcType type, absl::string_view method) const {
  for (size_t i = hash & slots_mask_;; i = (i + 1) & slots_mask_) {
    RpcSeries* series = slots_[i].load(std::memory_order_acquire);
    if (series == nullptr || (series->type == type && series->key == method)) return series;
  }
}

RpcSeries* RpcMetrics::FindOrAdd(size_t hash, RpcType type, absl::string_view method) {
  const size_t type_index = static_cast<size_t>(type);
  const std::optional<RpcMethod> parts = SplitMethod(method);
  // Methods with these very names share the series, since they would have its labels.
  if (!parts.has_value() || IsBoth(*parts, kUnknown)) return unknown_[type_index].get();
  if (IsBoth(*parts, kOther)) return other_[type_index].get();
  if (full_.load(std::memory_order_acquire)) {
    // Once more: it may have been the last one to find room.
    RpcSeries* const series = Find(hash, type, method);
    return series != nullptr ? series : other_[type_index].get();
  }
  MutexLock lock(mu_);
  if (RpcSeries* series = Find(hash, type, method); series != nullptr) return series;
  if (series_.size() >= methods_max_) return other_[type_index].get();
  series_.push_back(std::make_unique<RpcSeries>(
      type, std::string(parts->service), std::string(parts->method), std::string(method), bounds_));
  RpcSeries* const series = series_.back().get();
  size_t i = hash & slots_mask_;
  while (slots_[i].load(std::memory_order_relaxed) != nullptr) i = (i + 1) & slots_mask_;
  slots_[i].store(series, std::memory_order_release);
  if (series_.size() >= methods_max_) full_.store(true, std::memory_order_release);
  return series;
}

void RpcMetrics::Collect(Families* families) const {
  std::vector<const RpcSeries*> all;
  {
    MutexLock lock(mu_);
    for (const auto& series : series_) all.push_back(series.get());
  }
  for (const PerType* shared : {&other_, &unknown_}) {
    for (const auto& series : *shared) {
      if (series->started() > 0) all.push_back(series.get());
    }
  }

  using prometheus::MetricType;
  auto started =
      MakeFamily("grpc_client_started_total", MetricType::Counter, "RPCs started on the client.");
  auto handled = MakeFamily("grpc_client_handled_total", MetricType::Counter,
                            "RPCs completed on the client, by status code; Unobserved if nobody "
                            "asked for the status.");
  auto handling =
      MakeFamily("grpc_client_handling_seconds", MetricType::Histogram,
                 "Time from the start of an RPC to its completion, as the application saw it.");
  for (const RpcSeries* series : all) {
    const Labels labels = SeriesLabels(*series);
    AddHistogram(labels, series->latency.Collect(), &handling);
    for (size_t code = 0; code < kCodeNames.size(); ++code) {
      const uint64_t count = series->handled(code);
      // OK is always there, so that the ratio to it has a value; the others once they occur.
      if (count == 0 && code != 0) continue;
      Labels with_code = labels;
      with_code.push_back({"grpc_code", kCodeNames[code]});
      AddValue(std::move(with_code), static_cast<double>(count), &handled);
    }
    // Last: see "Order" of RpcSeries.
    AddValue(labels, static_cast<double>(series->started()), &started);
  }
  AddFamily(std::move(started), families);
  AddFamily(std::move(handled), families);
  AddFamily(std::move(handling), families);
}

}  // namespace predial
