#include "examples/echo/tls.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

ABSL_FLAG(std::string, tls_ca, "", "file with the CA that the other side's certificate must be of");
ABSL_FLAG(std::string, tls_cert, "", "file with the certificate to show, and those above it");
ABSL_FLAG(std::string, tls_key, "", "file with the private key of --tls_cert");

namespace predial {
namespace {

// What the three files contain; empty for a flag that is not set.
struct Pem {
  std::string ca;
  std::string cert;
  std::string key;
};

absl::StatusOr<std::string> ReadFlag(const absl::Flag<std::string>& flag) {
  const std::string path = absl::GetFlag(flag);
  if (path.empty()) return std::string();
  std::ifstream file(path);
  std::string content(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || content.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("--", flag.Name(), ": ", path, ": ",
                                                   file.is_open() ? "is empty" : strerror(errno)));
  }
  return content;
}

absl::StatusOr<Pem> ReadFlags() {
  Pem pem;
  for (const auto& [flag, content] :
       {std::make_pair(&FLAGS_tls_ca, &pem.ca), std::make_pair(&FLAGS_tls_cert, &pem.cert),
        std::make_pair(&FLAGS_tls_key, &pem.key)}) {
    absl::StatusOr<std::string> read = ReadFlag(*flag);
    if (!read.ok()) return read.status();
    *content = *std::move(read);
  }
  if (pem.cert.empty() != pem.key.empty()) {
    return absl::InvalidArgumentError("--tls_cert and --tls_key go together");
  }
  return pem;
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> ServerCredentialsFromFlags() {
  absl::StatusOr<Pem> pem = ReadFlags();
  if (!pem.ok()) return pem.status();
  if (pem->key.empty()) {
    if (pem->ca.empty()) return grpc::InsecureServerCredentials();
    return absl::InvalidArgumentError("--tls_ca without --tls_cert and --tls_key");
  }
  grpc::SslServerCredentialsOptions options(
      pem->ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                      : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = pem->ca;
  options.pem_key_cert_pairs.push_back({pem->key, pem->cert});
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> ClientCredentialsFromFlags() {
  absl::StatusOr<Pem> pem = ReadFlags();
  if (!pem.ok()) return pem.status();
  if (pem->ca.empty()) {
    if (pem->key.empty()) return grpc::InsecureChannelCredentials();
    return absl::InvalidArgumentError("--tls_cert and --tls_key without --tls_ca");
  }
  return grpc::SslCredentials({pem->ca, pem->key, pem->cert});
}

}  // namespace predial
