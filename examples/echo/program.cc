#include "examples/echo/program.h"

#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/string_view.h"

namespace predial {

int RunProgram(int argc, char** argv, const char* usage, std::initializer_list<int> signals,
               const std::function<absl::Status(const sigset_t&)>& run) {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int signal : signals) sigaddset(&mask, signal);
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);

  absl::string_view name = argv[0];
  name.remove_prefix(name.rfind('/') + 1);  // npos + 1 is 0
  absl::SetProgramUsageMessage(usage);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  absl::Status status;
  if (rest.size() > 1) {
    status = absl::InvalidArgumentError(std::string("unexpected argument: ") + rest[1] +
                                        "; --help lists the flags");
  } else {
    status = run(mask);
  }
  if (status.ok()) return 0;
  fprintf(stderr, "%s: %s\n", std::string(name).c_str(), std::string(status.message()).c_str());
  return 1;
}

}  // namespace predial
