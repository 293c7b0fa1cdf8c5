// Adopted sockets under TLS.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plugin/io/address.h"
#include "plugin/io/peer_server.h"
#include "plugin/io/socket_adoption.h"
#include "plugin/odd_server.h"
#include "plugin/testing/test_certificates.h"

namespace predial {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// A server's credentials that show `identity` and ask for a client's certificate.
std::shared_ptr<grpc::ServerCredentials> ServerTls(TestCertificates& certificates,
                                                   const TestCertificates::Identity& identity) {
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = certificates.ca();
  options.pem_key_cert_pairs.push_back({identity.key, identity.certificate});
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> ClientTls(TestCertificates& certificates) {
  return grpc::SslCredentials(
      {certificates.ca(), certificates.client().key, certificates.client().certificate});
}

// The host name is checked against the authority, as the channel goes to a literal address.
TEST(SocketAdoptionTlsTest, AdoptsForMutualTls) {
  TestCertificates certificates;
  const auto counters = std::make_shared<AdoptionCounters>();
  const auto identity = certificates.Server({"orders.example"});
  PeerServer server("127.0.0.1:0", ServerTls(certificates, identity));
  const Address peer = *Address::Parse(server.address());
  const auto credentials = ClientTls(certificates);

  for (const char* host : {"orders.example", "other.example"}) {
    UniqueFd socket = DialWithoutBlocking(peer);
    const std::string name = NameOf(socket);
    SocketAdoption adoption(counters);
    adoption.Offer(std::move(socket));
    grpc::ChannelArguments args;
    args.SetString(GRPC_ARG_DEFAULT_AUTHORITY, host);
    ASSERT_TRUE(adoption.AddTo(args));
    const auto channel = grpc::CreateCustomChannel(peer.ToGrpcTarget(), credentials, args);
    const std::string answer = PeerOf(channel);
    if (absl::StartsWith(host, "orders")) {
      EXPECT_EQ(answer, name);
    } else {
      EXPECT_TRUE(absl::StrContains(answer, "Peer name other.example is not in peer certificate"))
          << answer;
    }
  }
  EXPECT_EQ(counters->adopted, 2);
  EXPECT_EQ(counters->dialed, 0);
}

// What gRPC says to servers that cannot be spoken to is the same whether the socket was adopted or
// is gRPC's own, and never is the RPC sent in plaintext.
class BadTlsTest : public ::testing::TestWithParam<bool> {
 protected:
  // The error of an RPC to `address`, through an adopted socket if the parameter says so.
  std::string ErrorAt(const std::string& address,
                      const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    const bool adopt = GetParam();
    const Address peer = *Address::Parse(address);
    SocketAdoption adoption(counters_);
    if (adopt) adoption.Offer(DialWithoutBlocking(peer));
    grpc::ChannelArguments args;
    EXPECT_TRUE(adoption.AddTo(args));
    // An attempt's time, and then the test is over before the next.
    args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 300);
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 300);
    const auto channel = grpc::CreateCustomChannel(peer.ToGrpcTarget(), credentials, args);
    const std::string answer = PeerOf(channel);
    EXPECT_EQ(counters_->adopted, adopt ? 1 : 0);
    return answer;
  }
  std::string ErrorOf(OddServer::Manner manner) {
    OddServer server(manner);
    return ErrorAt(server.address(), ClientTls(certificates_));
  }
  std::string ErrorOf(const TestCertificates::Identity& identity) {
    PeerServer server("127.0.0.1:0", ServerTls(certificates_, identity));
    return ErrorAt(server.address(), ClientTls(certificates_));
  }

  TestCertificates certificates_;
  const std::shared_ptr<AdoptionCounters> counters_ = std::make_shared<AdoptionCounters>();
};

INSTANTIATE_TEST_SUITE_P(Sockets, BadTlsTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Adopted" : "Dialed"; });

// A RST, if there was something that the server had not read.
auto IsClosed() { return AnyOf(HasSubstr("Socket closed"), HasSubstr("Connection reset")); }

// As OpenSSL and BoringSSL, of which gRPC has one, write it.
auto IsWrongVersion() {
  return AnyOf(HasSubstr("wrong version number"), HasSubstr("WRONG_VERSION_NUMBER"));
}

TEST_P(BadTlsTest, Truncated) {
  EXPECT_THAT(ErrorOf(OddServer::Manner::kTruncatedTls), IsClosed());
}

TEST_P(BadTlsTest, NeverAnswers) {
  EXPECT_THAT(ErrorOf(OddServer::Manner::kSilent), HasSubstr("Handshake read failed"));
}

TEST_P(BadTlsTest, SpeaksHttp1) {
  EXPECT_THAT(ErrorOf(OddServer::Manner::kHttp1), IsWrongVersion());
}

TEST_P(BadTlsTest, PlaintextServer) {
  PeerServer server("127.0.0.1:0");
  EXPECT_THAT(ErrorAt(server.address(), ClientTls(certificates_)), IsWrongVersion());
}

TEST_P(BadTlsTest, PlaintextClient) {
  PeerServer server("127.0.0.1:0", ServerTls(certificates_, certificates_.server()));
  EXPECT_THAT(ErrorAt(server.address(), grpc::InsecureChannelCredentials()), IsClosed());
}

TEST_P(BadTlsTest, Expired) {
  EXPECT_THAT(ErrorOf(certificates_.expired()), AnyOf(HasSubstr("certificate verify failed"),
                                                      HasSubstr("CERTIFICATE_VERIFY_FAILED")));
}

// TLS 1.3's client learns after its own handshake is done that the server did not like it.
TEST_P(BadTlsTest, NoClientCertificate) {
  PeerServer server("127.0.0.1:0", ServerTls(certificates_, certificates_.server()));
  EXPECT_THAT(ErrorAt(server.address(), grpc::SslCredentials({certificates_.ca(), "", ""})),
              IsClosed());
}

}  // namespace
}  // namespace predial
