#include "interop_tests/cases/arguments.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "interop_tests/cases/contender.h"

namespace predial {
namespace {

constexpr int kSoakRpcsMax = 1'000'000;
constexpr int kLongLivedMsMax = 3'600'000;

template <typename... Parts>
absl::Status Invalid(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status SetChannels(absl::string_view value, Arguments* arguments) {
  arguments->channels.clear();
  for (const absl::string_view name : absl::StrSplit(value, ',')) {
    const auto& names = Contender::Names();
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return Invalid("--channels: there is no channel \"", name, "\"");
    }
    arguments->channels.emplace_back(name);
  }
  return absl::OkStatus();
}

absl::Status SetCases(absl::string_view value, Arguments* arguments) {
  arguments->cases.clear();
  for (const absl::string_view name : absl::StrSplit(value, ',')) {
    const Case* const found = FindCase(std::string(name));
    if (found == nullptr) {
      return Invalid("--cases: there is no case \"", name, "\"; --list shows them");
    }
    arguments->cases.push_back(found);
  }
  return absl::OkStatus();
}

absl::Status SetApis(absl::string_view value, Arguments* arguments) {
  arguments->apis.clear();
  for (const absl::string_view name : absl::StrSplit(value, ',')) {
    const Api* const found = std::find_if(std::begin(kApis), std::end(kApis),
                                          [&](Api api) { return NameOf(api) == name; });
    if (found == std::end(kApis)) return Invalid("--apis: there is no API \"", name, "\"");
    arguments->apis.push_back(*found);
  }
  return absl::OkStatus();
}

absl::Status SetSoakRpcs(absl::string_view value, Arguments* arguments) {
  int rpcs = 0;
  if (!absl::SimpleAtoi(value, &rpcs) || rpcs < 1 || rpcs > kSoakRpcsMax) {
    return Invalid("--soak_rpcs is ", value, "; it must be within [1, ", kSoakRpcsMax, "]");
  }
  arguments->options.soak_rpcs = rpcs;
  return absl::OkStatus();
}

absl::Status SetLongLived(absl::string_view value, Arguments* arguments) {
  int ms = 0;
  if (!absl::SimpleAtoi(value, &ms) || ms < 1 || ms > kLongLivedMsMax) {
    return Invalid("--long_lived_ms is ", value, "; it must be within [1, ", kLongLivedMsMax, "]");
  }
  arguments->options.long_lived_for = std::chrono::milliseconds(ms);
  return absl::OkStatus();
}

absl::Status Set(absl::string_view name, absl::string_view value, Arguments* arguments) {
  if (name == "--target") {
    arguments->target = std::string(value);
    return absl::OkStatus();
  }
  if (name == "--authority") {
    arguments->authority = std::string(value);
    return absl::OkStatus();
  }
  if (name == "--channels") return SetChannels(value, arguments);
  if (name == "--cases") return SetCases(value, arguments);
  if (name == "--apis") return SetApis(value, arguments);
  if (name == "--soak_rpcs") return SetSoakRpcs(value, arguments);
  if (name == "--long_lived_ms") return SetLongLived(value, arguments);
  return Invalid("unknown argument: ", name);
}

}  // namespace

absl::StatusOr<Arguments> ParseArguments(const std::vector<std::string>& arguments) {
  Arguments parsed;
  parsed.channels = Contender::Names();
  for (const Case& each : AllCases()) parsed.cases.push_back(&each);
  parsed.apis.assign(std::begin(kApis), std::end(kApis));
  for (const std::string& argument : arguments) {
    if (argument == "--list") {
      parsed.list = true;
    } else if (argument == "--help") {
      parsed.help = true;
    } else {
      const std::pair<absl::string_view, absl::string_view> parts =
          absl::StrSplit(argument, absl::MaxSplits('=', 1));
      if (!absl::StrContains(argument, '=')) {
        return Invalid("unknown argument, or one without a value: ", argument);
      }
      const absl::Status status = Set(parts.first, parts.second, &parsed);
      if (!status.ok()) return status;
    }
  }
  if (parsed.target.empty() && !parsed.list && !parsed.help) return Invalid("--target is missing");
  return parsed;
}

}  // namespace predial
