// Adopted sockets under TLS.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "plugin/io/address.h"
#include "plugin/io/peer_server.h"
#include "plugin/io/socket_adoption.h"
#include "plugin/testing/test_certificates.h"

namespace predial {
namespace {

// The host name is checked against the authority, as the channel goes to a literal address.
TEST(SocketAdoptionTlsTest, AdoptsForMutualTls) {
  TestCertificates certificates;
  const auto counters = std::make_shared<AdoptionCounters>();
  const auto identity = certificates.Server({"orders.example"});
  grpc::SslServerCredentialsOptions server_options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  server_options.pem_root_certs = certificates.ca();
  server_options.pem_key_cert_pairs.push_back({identity.key, identity.certificate});
  PeerServer server("127.0.0.1:0", grpc::SslServerCredentials(server_options));
  const Address peer = *Address::Parse(server.address());
  const auto credentials = grpc::SslCredentials(
      {certificates.ca(), certificates.client().key, certificates.client().certificate});

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

}  // namespace
}  // namespace predial
