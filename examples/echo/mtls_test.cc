// examples/echo/mtls.sh, and the flags that it does not use.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/echo/echo_server_lib.h"
#include "examples/echo/process.h"
#include "gmock/gmock.h"
#include "grpcpp/security/server_credentials.h"
#include "gtest/gtest.h"
#include "plugin/testing/test_certificates.h"

namespace predial {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(MtlsTest, TheScriptSucceeds) {
  const Process::Ended ended =
      Process::RunToEnd({"examples/echo/mtls.sh", "examples/echo"}).value();
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_THAT(ended.lines, Contains("errors             0"));
  EXPECT_THAT(ended.lines, Contains(StartsWith("OK: 2000 RPCs over mutual TLS")));
}

// While the pool still connects. Without ExitGuard about every seventh run crashed.
TEST(MtlsTest, AShortProgramEndsInPeace) {
  TestCertificates certificates;
  EchoServerOptions options;
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  tls.pem_key_cert_pairs.push_back({certificates.server().key, certificates.server().certificate});
  options.credentials = grpc::SslServerCredentials(tls);
  const auto server = EchoServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  for (int i = 0; i < 30; ++i) {
    const Process::Ended ended =
        Process::RunToEnd({"examples/echo/echo_client", "--rpcs=1", "--threads=1",
                           absl::StrCat("--target=", (*server)->address()),
                           absl::StrCat("--tls_ca=", certificates.ca_path())})
            .value();
    ASSERT_EQ(ended.code, 0) << ::testing::PrintToString(ended.lines) << ended.errors;
  }
}

TEST(MtlsTest, SaysWhatIsWrongAboutTheFlags) {
  TestCertificates certificates;
  const std::string ca = absl::StrCat("--tls_ca=", certificates.ca_path());
  const std::string cert = absl::StrCat("--tls_cert=", certificates.client().certificate_path);
  const std::string key = absl::StrCat("--tls_key=", certificates.client().key_path);
  const std::string client = "examples/echo/echo_client";
  const std::string server = "examples/echo/echo_server";
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{client, "--target=x", ca, cert}, "--tls_cert and --tls_key go together"},
      {{client, "--target=x", cert, key}, "without --tls_ca"},
      {{server, ca}, "--tls_ca without --tls_cert"},
      {{server, key}, "--tls_cert and --tls_key go together"},
      {{server, cert, "--tls_key=/nowhere"}, "--tls_key: /nowhere: No such file"},
  };
  for (const auto& [argv, message] : cases) {
    const Process::Ended ended = Process::RunToEnd(argv).value();
    EXPECT_EQ(ended.code, 1) << message;
    EXPECT_THAT(ended.errors, HasSubstr(message));
  }
}

}  // namespace
}  // namespace predial
