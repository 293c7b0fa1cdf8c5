// Runs the interop cases against a server that is there already:
//
//   interop_client --target=ipv4:127.0.0.1:50051 --channels=ordinary,round_robin --apis=sync
//
// prints a line for each channel, case and API, at once:
//
//   RESULT <channel> <case> <api> pass|fail <milliseconds> <reason>
//
// Ends with 0 if it could run them all, whatever came out; 1 if it could not; 2 if an argument was
// wrong.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_replace.h"
#include "interop_tests/cases/arguments.h"
#include "interop_tests/cases/contender.h"
#include "interop_tests/cases/runner.h"

namespace predial {
namespace {

constexpr int kCannotRun = 1;
constexpr int kBadArguments = 2;

constexpr char kUsage[] =
    "interop_client --target=TARGET, or --list for the names of the cases\n"
    "  --authority=NAME    instead of what the target says\n"
    "  --channels=A,B      ordinary, round_robin, power_of_two_choices, least_loaded, peak_ewma,\n"
    "                      affinity, exclusive, anchor; default all\n"
    "  --cases=A,B         default all\n"
    "  --apis=A,B          sync, async, callback; default all\n"
    "  --soak_rpcs=N       of rpc_soak; channel_soak makes a tenth as many channels; default "
    "1000\n"
    "  --long_lived_ms=N   how long the stream of long_lived is open; default 2000\n";

std::string OneLine(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\n", " "}, {"\r", " "}});
}

// False if it cannot be printed.
bool Report(const std::string& channel, const Case& which, Api api, const CaseResult& result) {
  printf("RESULT %s %s %s %s %lld %s\n", channel.c_str(), which.name, NameOf(api),
         result.status.ok() ? "pass" : "fail", static_cast<long long>(result.took.count()),
         OneLine(result.status.message()).c_str());
  return fflush(stdout) == 0;
}

bool RunOver(const std::string& channel, const Arguments& arguments) {
  const absl::StatusOr<std::unique_ptr<Contender>> contender =
      Contender::Create({channel, arguments.target, arguments.authority});
  for (const Case* const which : arguments.cases) {
    for (const Api api : arguments.apis) {
      CaseResult result;
      result.status = contender.status();
      if (contender.ok()) result = RunCase(*which, api, **contender, arguments.options);
      if (!Report(channel, *which, api, result)) return false;
    }
  }
  return true;
}

int Run(const Arguments& arguments) {
  if (arguments.help) {
    fputs(kUsage, stdout);
    return 0;
  }
  if (arguments.list) {
    for (const Case& each : AllCases()) puts(each.name);
    return 0;
  }
  for (const std::string& channel : arguments.channels) {
    if (!RunOver(channel, arguments)) {
      std::perror("interop_client: cannot write to stdout");
      return kCannotRun;
    }
  }
  return 0;
}

}  // namespace
}  // namespace predial

int main(int argc, char** argv) {
  const auto arguments = predial::ParseArguments(std::vector<std::string>(argv + 1, argv + argc));
  if (!arguments.ok()) {
    fprintf(stderr, "interop_client: %s; --help lists the arguments\n",
            std::string(arguments.status().message()).c_str());
    return predial::kBadArguments;
  }
  return predial::Run(*arguments);
}
