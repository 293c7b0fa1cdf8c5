// Runs a case through one API over one channel, and looks at the channel afterwards.
#pragma once

#include <chrono>

#include "absl/status/status.h"
#include "interop_tests/cases/case.h"
#include "interop_tests/cases/contender.h"
#include "interop_tests/cases/test_client.h"

namespace predial {

struct CaseResult {
  absl::Status status;
  std::chrono::milliseconds took{0};
};

// Waits for the contender's members first. Fails if the case does, or if its RPCs went another way
// than they should.
CaseResult RunCase(const Case& which, Api api, Contender& contender,
                   const CaseOptions& options = {});

}  // namespace predial
