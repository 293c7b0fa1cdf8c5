#include "interop_tests/cases/expect.h"

#include <map>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "interop_tests/peers/compressed_flag.h"

namespace predial {
namespace {

using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

template <typename... Parts>
absl::Status Failed(const Parts&... parts) {
  return absl::FailedPreconditionError(absl::StrCat(parts...));
}

// In ASCII, whatever the server sent.
std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(text), "\"");
}

absl::Status ExpectMetadata(absl::string_view what, absl::string_view kind,
                            const Metadata& metadata, const std::string& key,
                            const std::string& value) {
  std::vector<std::string> values;
  const auto range = metadata.equal_range(key);
  for (auto entry = range.first; entry != range.second; ++entry) {
    values.push_back(Quoted(absl::string_view(entry->second.data(), entry->second.size())));
  }
  if (values.size() == 1 && values[0] == Quoted(value)) return absl::OkStatus();
  return Failed(what, ": expected the ", kind, " metadata ", key, " = ", Quoted(value), ", got ",
                values.empty() ? "none" : absl::StrJoin(values, ", "));
}

// gRPC's names for them.
std::string NameOf(grpc::StatusCode code) {
  if (code == grpc::StatusCode::OK) return "OK";
  return absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
}

}  // namespace

std::string ToText(const grpc::Status& status) {
  if (status.ok()) return "OK";
  return absl::StrCat(status.error_code(), " ", NameOf(status.error_code()), " ",
                      Quoted(status.error_message()));
}

absl::Status ExpectOk(absl::string_view what, const grpc::Status& got) {
  return ExpectCode(what, got, grpc::StatusCode::OK);
}

absl::Status ExpectCode(absl::string_view what, const grpc::Status& got, grpc::StatusCode code) {
  if (got.error_code() == code) return absl::OkStatus();
  return Failed(what, ": expected the status ", NameOf(code), ", got ", ToText(got));
}

absl::Status ExpectStatus(absl::string_view what, const grpc::Status& got,
                          const grpc::Status& wanted) {
  if (got.error_code() == wanted.error_code() && got.error_message() == wanted.error_message()) {
    return absl::OkStatus();
  }
  return Failed(what, ": expected the status ", ToText(wanted), ", got ", ToText(got));
}

absl::Status ExpectPayload(absl::string_view what, const grpc::testing::Payload& got, int bytes) {
  const std::string& body = got.body();
  if (got.type() != grpc::testing::COMPRESSABLE) {
    return Failed(what, ": expected a payload of type COMPRESSABLE, got type ",
                  static_cast<int>(got.type()));
  }
  if (body.size() != static_cast<size_t>(bytes)) {
    return Failed(what, ": expected a payload of ", bytes, " bytes, got ", body.size());
  }
  const size_t other = body.find_first_not_of('\0');
  if (other == std::string::npos) return absl::OkStatus();
  return Failed(what, ": expected a payload of zeros, got ",
                static_cast<int>(static_cast<unsigned char>(body[other])), " at byte ", other);
}

absl::Status ExpectInitialMetadata(absl::string_view what, const grpc::ClientContext& context,
                                   const std::string& key, const std::string& value) {
  return ExpectMetadata(what, "initial", context.GetServerInitialMetadata(), key, value);
}

absl::Status ExpectTrailingMetadata(absl::string_view what, const grpc::ClientContext& context,
                                    const std::string& key, const std::string& value) {
  return ExpectMetadata(what, "trailing", context.GetServerTrailingMetadata(), key, value);
}

absl::Status ExpectCompressed(absl::string_view what, grpc::ClientContext& context,
                              bool compressed) {
  if (CameCompressed(context) == compressed) return absl::OkStatus();
  return Failed(what, compressed ? ": expected a compressed message, got an uncompressed one"
                                 : ": expected an uncompressed message, got a compressed one");
}

}  // namespace predial
