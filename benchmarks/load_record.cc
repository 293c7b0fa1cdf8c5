#include "benchmarks/load_record.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace predial {

void LoadRecord::OnSuccess(int64_t ended) {
  MutexLock lock(mu_);
  ++ok_;
  AddGap(ended);
  last_success_ = std::max(last_success_, ended);
  Add(ok_timeline_, ended - began_);
}

void LoadRecord::OnLost(int64_t rpc_began, int64_t ended, int code, absl::string_view message) {
  MutexLock lock(mu_);
  ++lost_;
  Add(lost_timeline_, ended - began_);
  if (losses_.size() < kLossesMax) losses_.push_back({rpc_began, ended, code});
  auto cause = causes_.find({code, std::string(message)});
  if (cause != causes_.end()) {
    ++cause->second;
  } else {
    ++causes_[{code, causes_.size() < kCausesMax ? std::string(message) : "other"}];
  }
}

void LoadRecord::OnWrong() {
  MutexLock lock(mu_);
  ++wrong_;
}

void LoadRecord::Add(std::vector<int>& timeline, int64_t since_began) {
  const int64_t bucket = std::clamp<int64_t>(since_began / kBucketNanos, 0, kBucketsMax - 1);
  if (static_cast<int64_t>(timeline.size()) <= bucket) timeline.resize(bucket + 1);
  ++timeline[bucket];
}

// Threads may report out of order: then `until` is before the last success, and there is no gap.
void LoadRecord::AddGap(int64_t until) {
  const int64_t gap = until - last_success_;
  worst_gap_ = std::max(worst_gap_, gap);
  if (gap >= kGapNanosMin) gaps_.push_back({last_success_, until});
}

std::string LoadRecord::FinishAsJson(int64_t ended) {
  MutexLock lock(mu_);
  AddGap(ended);
  const auto join = [](const auto& list, auto format) { return absl::StrJoin(list, ",", format); };
  return absl::StrCat(
      "\"rpcs\":", ok_ + wrong_ + lost_, ",\"ok\":", ok_, ",\"wrong\":", wrong_,
      ",\"lost\":", lost_, ",\"began\":", began_, ",\"ended\":", ended,
      ",\"bucket\":", kBucketNanos, ",\"ok_timeline\":[", absl::StrJoin(ok_timeline_, ","),
      "],\"lost_timeline\":[", absl::StrJoin(lost_timeline_, ","), "],\"worst_gap\":", worst_gap_,
      ",\"gaps\":[",
      join(gaps_,
           [](std::string* out, const auto& gap) {
             absl::StrAppend(out, "[", gap.first, ",", gap.second, "]");
           }),
      "],\"causes\":[",
      join(causes_,
           [](std::string* out, const auto& cause) {
             absl::StrAppend(out, "{\"code\":", cause.first.first,
                             ",\"message\":", JsonString(cause.first.second),
                             ",\"count\":", cause.second, "}");
           }),
      "],\"losses\":[",
      join(losses_,
           [](std::string* out, const Loss& loss) {
             absl::StrAppend(out, "[", loss.began, ",", loss.ended, ",", loss.code, "]");
           }),
      "]");
}

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  for (const unsigned char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += static_cast<char>(c);
    } else if (c < 0x20 || c > 0x7e) {
      absl::StrAppendFormat(&json, "\\u%04x", c);
    } else {
      json += static_cast<char>(c);
    }
  }
  return json + "\"";
}

}  // namespace predial
