// Commands: how a test drives a program: lines on its stdin, one after the other.
//
//   stdin                 stdout
//   7 calls 20            7 {"ok":20,…}
//
// The number is the test's; the answer, one line of JSON, begins with the same. A program that is
// driven lives until its stdin ends.
#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace predial::driven {

// The words of a command to its answer; an error ends the program.
using Answer = std::function<absl::StatusOr<std::unique_ptr<google::protobuf::Message>>(
    const std::vector<std::string>& words)>;

// Answers every command, in their order, until stdin ends. On the caller's thread.
absl::Status RunCommands(const Answer& answer);

}  // namespace predial::driven
