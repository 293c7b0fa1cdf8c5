#include "interop_tests/driven/commands.h"

#include <google/protobuf/util/json_util.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace predial::driven {

absl::Status RunCommands(const Answer& answer) {
  google::protobuf::util::JsonPrintOptions json;
  json.always_print_primitive_fields = true;
  json.preserve_proto_field_names = true;
  for (std::string line; std::getline(std::cin, line);) {
    std::vector<std::string> words = absl::StrSplit(line, ' ');
    const std::string number = std::move(words.front());
    words.erase(words.begin());
    if (words.empty()) return absl::InvalidArgumentError(absl::StrCat("no command: ", line));
    const auto message = answer(words);
    if (!message.ok()) {
      return absl::Status(message.status().code(),
                          absl::StrCat(line, ": ", message.status().message()));
    }
    std::string text;
    if (!google::protobuf::util::MessageToJsonString(**message, &text, json).ok()) {
      return absl::InternalError(absl::StrCat(line, ": its answer is no JSON"));
    }
    printf("%s %s\n", number.c_str(), text.c_str());
    if (fflush(stdout) != 0) return absl::ErrnoToStatus(errno, "cannot write to stdout");
  }
  return absl::OkStatus();
}

}  // namespace predial::driven
