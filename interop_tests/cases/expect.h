// What a case expects of an RPC: each function returns OK, or a status that says in one line what
// was expected and what came.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/test_service.pb.h"

namespace predial {

// `what` names the RPC or the message in all of them.
absl::Status ExpectOk(absl::string_view what, const grpc::Status& got);
absl::Status ExpectCode(absl::string_view what, const grpc::Status& got, grpc::StatusCode code);
absl::Status ExpectStatus(absl::string_view what, const grpc::Status& got,
                          const grpc::Status& wanted);

// `bytes` zeros.
absl::Status ExpectPayload(absl::string_view what, const grpc::testing::Payload& got, int bytes);

// One value of `key`, and that. After the RPC has ended with OK.
absl::Status ExpectInitialMetadata(absl::string_view what, const grpc::ClientContext& context,
                                   const std::string& key, const std::string& value);
absl::Status ExpectTrailingMetadata(absl::string_view what, const grpc::ClientContext& context,
                                    const std::string& key, const std::string& value);

// Whether the RPC's last message was compressed.
absl::Status ExpectCompressed(absl::string_view what, grpc::ClientContext& context,
                              bool compressed);

// "12 UNIMPLEMENTED "no such method"".
std::string ToText(const grpc::Status& status);

}  // namespace predial
