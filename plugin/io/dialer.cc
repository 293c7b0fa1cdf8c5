#include "plugin/io/dialer.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace predial {
namespace {

// A payload's name has the form of a URL; nothing is ever fetched from it.
constexpr char kPayload[] = "type.googleapis.com/predial.DialResult";

absl::StatusCode CodeOf(DialResult result) {
  switch (result) {
    case DialResult::kOk:
      return absl::StatusCode::kOk;
    case DialResult::kTimeout:
      return absl::StatusCode::kDeadlineExceeded;
    case DialResult::kLocalLimit:
      return absl::StatusCode::kResourceExhausted;
    case DialResult::kRefused:
    case DialResult::kUnreachable:
    case DialResult::kNotHttp2:
    case DialResult::kError:
    case DialResult::kHandshake:
      break;
  }
  return absl::StatusCode::kUnavailable;
}

}  // namespace

absl::Status DialError(DialResult result, absl::string_view message) {
  absl::Status status(CodeOf(result), message);
  status.SetPayload(kPayload, absl::Cord(absl::StrCat(static_cast<int>(result))));
  return status;
}

DialResult DialResultOf(const absl::Status& status) {
  if (status.ok()) return DialResult::kOk;
  const auto payload = status.GetPayload(kPayload);
  int result;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &result) || result <= 0 ||
      result >= kDialResults) {
    return DialResult::kError;
  }
  return static_cast<DialResult>(result);
}

}  // namespace predial
