#include "plugin/core/outlier.h"

#include <algorithm>
#include <utility>

namespace predial {

int OutlierJudge::WeightOf(MemberId member) const {
  const auto found = records_.find(member);
  return found == records_.end() ? kFull : found->second.weight;
}

const Duration* OutlierJudge::MedianOfPeers(MemberId member, std::vector<Duration>& scratch) const {
  scratch.clear();
  for (const auto& [id, record] : records_) {
    if (id != member && record.known) scratch.push_back(record.mean);
  }
  if (scratch.empty()) return nullptr;
  // Of an even number the lower: of two groups the faster one is the measure.
  const auto middle = scratch.begin() + static_cast<std::ptrdiff_t>((scratch.size() - 1) / 2);
  std::nth_element(scratch.begin(), middle, scratch.end());
  return &*middle;
}

std::vector<OutlierJudge::Change> OutlierJudge::OnSamples(Time now,
                                                          const std::vector<Sample>& samples) {
  std::vector<Change> changes;
  if (policy_.factor == 0 || now - judged_ < kWindow) return changes;
  judged_ = now;

  std::map<MemberId, Record> present;
  std::vector<MemberId> measured;
  std::vector<MemberId> forgiven;
  for (const Sample& sample : samples) {
    const auto known = records_.find(sample.member);
    Record record;
    if (known != records_.end()) {
      record = known->second;
    } else {
      record.since = record.known_at = now;
      record.answered = sample.answered;
      record.latency = sample.latency;
    }
    const uint64_t answered = sample.answered - record.answered;
    if (answered >= kSamplesMin) {
      record.mean = (sample.latency - record.latency) / static_cast<int64_t>(answered);
      record.known = true;
      record.known_at = now;
      measured.push_back(sample.member);
    } else if (now - record.known_at >= kForget) {
      record.known = false;
      record.known_at = now;
      forgiven.push_back(sample.member);
    }
    // A window without enough answers goes on, but not for ever.
    if (answered >= kSamplesMin || now - record.since >= kForget) {
      record.since = now;
      record.answered = sample.answered;
      record.latency = sample.latency;
    }
    present.emplace(sample.member, record);
  }
  records_ = std::move(present);

  std::vector<Duration> scratch;
  const auto change = [&](MemberId id, Record& record, int weight, Duration median) {
    if (weight == record.weight) return;
    record.weight = weight;
    changes.push_back({id, weight, record.mean, median});
  };
  std::map<MemberId, Duration> lighter;  // the medians of those that are to become lighter
  for (const MemberId id : measured) {
    Record& record = records_.at(id);
    const Duration* const median = MedianOfPeers(id, scratch);
    if (median == nullptr) {
      change(id, record, std::min(record.weight + 1, kFull), Duration(0));
      continue;
    }
    const double mean = static_cast<double>(record.mean.count());
    const double peers = static_cast<double>(median->count());
    if (mean > policy_.factor * peers && record.mean - *median > kDifferenceMin) {
      lighter.emplace(id, *median);
    } else if (mean < (1 + policy_.factor) / 2 * peers ||
               record.mean - *median < kDifferenceMin / 2) {
      change(id, record, std::min(record.weight + 1, kFull), *median);
    }
  }
  for (const MemberId id : forgiven) {
    Record& record = records_.at(id);
    change(id, record, std::min(record.weight + 1, kFull), Duration(0));
  }

  // The slowest first, while there is room for light ones.
  std::vector<std::pair<Duration, MemberId>> slowest;
  for (const auto& [id, record] : records_) {
    if (record.weight < kFull || lighter.count(id) > 0) slowest.emplace_back(record.mean, id);
  }
  std::sort(slowest.rbegin(), slowest.rend());
  const size_t light_max = records_.size() / 2;
  for (size_t i = 0; i < slowest.size(); ++i) {
    const MemberId id = slowest[i].second;
    Record& record = records_.at(id);
    const auto found = lighter.find(id);
    if (i >= light_max) {
      change(id, record, kFull, found == lighter.end() ? Duration(0) : found->second);
    } else if (found != lighter.end()) {
      change(id, record, std::max(record.weight - 1, 1), found->second);
    }
  }
  return changes;
}

}  // namespace predial
