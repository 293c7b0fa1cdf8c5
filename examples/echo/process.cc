#include "examples/echo/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

extern char** environ;

namespace predial {
namespace {

// Waits until `fd` is readable or at its end; EINTR is not the end of it.
absl::Status AwaitReadable(int fd, absl::Time deadline) {
  while (true) {
    const absl::Duration left = std::max(deadline - absl::Now(), absl::ZeroDuration());
    pollfd poll_fd = {fd, POLLIN, 0};
    const int n = poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
    if (n > 0) return absl::OkStatus();
    if (n < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "poll");
    if (absl::Now() >= deadline) return absl::DeadlineExceededError("the process is too slow");
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Process>> Process::Start(std::vector<std::string> argv) {
  std::vector<char*> pointers;
  for (std::string& arg : argv) pointers.push_back(arg.data());
  pointers.push_back(nullptr);
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe2");
  const int err = memfd_create("stderr", MFD_CLOEXEC);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  pid_t pid;
  const int error = posix_spawn(&pid, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  if (error != 0) {
    close(out[0]);
    close(err);
    return absl::ErrnoToStatus(error, absl::StrCat("cannot run ", argv[0]));
  }
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  return std::unique_ptr<Process>(new Process(pid, pidfd, out[0], err));
}

Process::~Process() {
  if (!reaped_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(pidfd_);
  close(out_);
  close(err_);
}

absl::StatusOr<std::string> Process::ReadLine(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (true) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    const absl::Status readable = AwaitReadable(out_, deadline);
    if (!readable.ok()) return readable;
    char chunk[4096];
    const ssize_t n = read(out_, chunk, sizeof(chunk));
    if (n < 0) return absl::ErrnoToStatus(errno, "read");
    if (n == 0) return absl::OutOfRangeError(absl::StrCat("end of output after: ", buffer_));
    buffer_.append(chunk, n);
  }
}

void Process::Signal(int signal) {
  if (!reaped_) kill(pid_, signal);
}

absl::StatusOr<int> Process::Wait(absl::Duration timeout) {
  const absl::Status ended = AwaitReadable(pidfd_, absl::Now() + timeout);
  if (!ended.ok()) return ended;
  int status;
  if (waitpid(pid_, &status, 0) != pid_) return absl::ErrnoToStatus(errno, "waitpid");
  reaped_ = true;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Process::ErrorOutput() const {
  std::string text;
  char chunk[4096];
  ssize_t n;
  while ((n = pread(err_, chunk, sizeof(chunk), text.size())) > 0) text.append(chunk, n);
  return text;
}

absl::StatusOr<Process::Ended> Process::RunToEnd(std::vector<std::string> argv) {
  const auto process = Start(std::move(argv));
  if (!process.ok()) return process.status();
  Ended ended;
  absl::StatusOr<std::string> line;
  while ((line = (*process)->ReadLine()).ok()) ended.lines.push_back(*std::move(line));
  if (line.status().code() != absl::StatusCode::kOutOfRange) return line.status();
  const absl::StatusOr<int> code = (*process)->Wait();
  if (!code.ok()) return code.status();
  ended.code = *code;
  ended.errors = (*process)->ErrorOutput();
  return ended;
}

}  // namespace predial
