// RunInChild: what the tests of fork() do in a child process.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace predial {

// Runs `body` in a child of fork() and returns its result, from 0 to 99, or 128 + the signal that
// ended it. SIGALRM (142 in all) does if it takes half a minute. No assertions of GoogleTest there:
// they would be lost.
inline int RunInChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    alarm(30);
    _exit(body());
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace predial
