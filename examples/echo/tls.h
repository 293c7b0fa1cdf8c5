// The credentials that the flags --tls_ca, --tls_cert and --tls_key ask for: files in PEM. None of
// them: plaintext.
//
//   server  --tls_cert --tls_key            TLS
//           … --tls_ca                      mutual TLS: clients must show a certificate of this CA
//   client  --tls_ca                        TLS: the server must show a certificate of this CA
//           … --tls_cert --tls_key          mutual TLS: and the client shows this one
//
// Errors: INVALID_ARGUMENT names the flag that is missing, or the file that cannot be read.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/security/server_credentials.h"

namespace predial {

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsFromFlags();
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientCredentialsFromFlags();

}  // namespace predial
