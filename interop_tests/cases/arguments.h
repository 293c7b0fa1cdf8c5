// The arguments of interop_client. Not absl::ParseCommandLine, which ends the process with 1 where
// the program says 2.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "interop_tests/cases/case.h"
#include "interop_tests/cases/test_client.h"

namespace predial {

struct Arguments {
  bool help = false;
  bool list = false;
  std::string target;
  std::string authority;
  std::vector<std::string> channels;  // names of contenders
  std::vector<const Case*> cases;
  std::vector<Api> apis;
  CaseOptions options;
};

// All channels, cases and APIs, unless some are named. INVALID_ARGUMENT names the argument.
absl::StatusOr<Arguments> ParseArguments(const std::vector<std::string>& arguments);

}  // namespace predial
