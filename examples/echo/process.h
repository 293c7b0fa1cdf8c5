// Process: a child process with its output, for tests. Every wait is bounded.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace predial {

// Thread-compatible. The destructor kills the child if it still runs.
class Process {
 public:
  // argv[0] is a path, relative to the working directory.
  static absl::StatusOr<std::unique_ptr<Process>> Start(std::vector<std::string> argv);
  ~Process();

  // Starts one and waits for its end.
  struct Ended {
    int code = -1;                   // as Wait() has it
    std::vector<std::string> lines;  // of stdout
    std::string errors;              // stderr
  };
  static absl::StatusOr<Ended> RunToEnd(std::vector<std::string> argv);

  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // The next line on stdout, without its newline. OUT_OF_RANGE at the end, DEADLINE_EXCEEDED after
  // `timeout`.
  absl::StatusOr<std::string> ReadLine(absl::Duration timeout = absl::Seconds(30));

  void Signal(int signal);

  // The exit code, or 128 + the signal that ended it; DEADLINE_EXCEEDED after `timeout`.
  absl::StatusOr<int> Wait(absl::Duration timeout = absl::Seconds(30));

  // All of stderr so far; to be asked for after Wait().
  std::string ErrorOutput() const;

 private:
  Process(pid_t pid, int pidfd, int out, int err)
      : pid_(pid), pidfd_(pidfd), out_(out), err_(err) {}

  const pid_t pid_;
  const int pidfd_;
  const int out_;  // the pipe from stdout
  const int err_;  // an unlinked file
  bool reaped_ = false;
  std::string buffer_;  // read from out_, not yet returned
};

}  // namespace predial
