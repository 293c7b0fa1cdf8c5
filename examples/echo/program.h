// RunProgram: what main() does in the programs of this project that run until a signal comes.
#pragma once

#include <signal.h>

#include <functional>
#include <initializer_list>

#include "absl/status/status.h"

namespace predial {

// Blocks `signals`, parses the flags and runs `run`, which is given the signals in order to wait
// for them. They are blocked in all threads, so call this before any other thread exists. Returns
// the exit code: 0, or 1 for an error of `run`'s or an argument that is no flag, which stderr then
// has, after the program's name.
int RunProgram(int argc, char** argv, const char* usage, std::initializer_list<int> signals,
               const std::function<absl::Status(const sigset_t&)>& run);

}  // namespace predial
