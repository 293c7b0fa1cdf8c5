#include "interop_tests/edges/edge.h"

#include <cctype>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace predial {

std::string NameOf(EdgeCall call) {
  switch (call) {
    case EdgeCall::kUnary:
      return "unary";
    case EdgeCall::kServerStream:
      return "server stream";
    case EdgeCall::kBidiStream:
      return "bidi stream";
    case EdgeCall::kUnaryKilobyte:
      return "unary, request of 1 KiB";
    case EdgeCall::kUnaryMetadata:
      return "unary, 4 KiB of metadata";
    case EdgeCall::kUnaryBriefly:
      return "unary, deadline 0.3 s";
    case EdgeCall::kBesideStreams:
      return "unary, deadline 0.3 s, beside three streams";
    case EdgeCall::kAfterStreams:
      return "unary, three streams end meanwhile";
    case EdgeCall::kTwoUntilLimitRises:
      return "two unary, the limit rises meanwhile";
  }
  return "?";
}

std::string NameOf(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  const int number = code;
  if (number < 0 || number >= static_cast<int>(std::size(kNames))) return absl::StrCat(number);
  return kNames[number];
}

// Words become CamelCase; whatever is neither a letter nor a digit parts them.
std::string NameOf(const Edge& edge) {
  std::string name;
  bool begins = true;
  for (const char c : absl::StrCat(edge.what, " ", edge.stage, " ", NameOf(edge.call))) {
    if (!std::isalnum(static_cast<unsigned char>(c))) {
      begins = true;
      continue;
    }
    const auto letter = static_cast<unsigned char>(c);
    name.push_back(static_cast<char>(begins ? std::toupper(letter) : std::tolower(letter)));
    begins = false;
  }
  return name;
}

}  // namespace predial
