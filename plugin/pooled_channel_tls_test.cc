// TLS: what a pool says of servers that cannot be trusted or do not speak it, and that it never
// goes on without. That RPCs work over TLS is tested with all other kinds of channels.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "plugin/api_test_channels.h"
#include "plugin/api_test_server.h"
#include "plugin/channel_test_util.h"
#include "plugin/core/types.h"
#include "plugin/grpc_log.h"
#include "plugin/io/address.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"
#include "plugin/options.h"
#include "plugin/pooled_channel.h"
#include "plugin/testing/test_certificates.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::shared_ptr<PooledChannel> Create(const std::string& target,
                                      const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                      const PoolOptions& options = {}) {
  auto channel = PooledChannel::TryCreate(target, credentials, {}, options);
  EXPECT_TRUE(channel.ok()) << channel.status();
  return channel.ok() ? *channel : nullptr;
}

std::shared_ptr<grpc::ServerCredentials> Showing(const TestCertificates::Identity& identity) {
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({identity.key, identity.certificate});
  return grpc::SslServerCredentials(options);
}

// Expects that the pool gets no connection, says why, and that RPCs fail.
void ExpectFails(PooledChannel& channel, const std::string& address,
                 const testing::Matcher<std::string>& cause, DialResult result) {
  EXPECT_TRUE(
      Eventually([&] { return channel.GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE; }));
  const PoolStats stats = channel.Stats();
  ASSERT_EQ(stats.endpoints.size(), 1u);
  EXPECT_EQ(stats.endpoints[0].address, address);
  EXPECT_EQ(stats.endpoints[0].ready, 0);
  EXPECT_THAT(stats.endpoints[0].last_error, AllOf(HasSubstr(address), cause));
  EXPECT_THAT(stats.last_error, cause);
  if (result == DialResult::kHandshake) {
    EXPECT_GT(stats.dials[static_cast<int>(result)], 0);
  } else {
    EXPECT_EQ(stats.dials[static_cast<int>(DialResult::kHandshake)], 0);
  }
  EXPECT_GT(stats.closed[static_cast<int>(CloseReason::kSetupFailed)], 0);
}

grpc::Status Rpc(const std::shared_ptr<PooledChannel>& channel) {
  return Echo(*echo::v1::Echo::NewStub(channel), "hello", /*wait_for_ready=*/false);
}

class PooledChannelTlsTest : public testing::Test {
 protected:
  // A server that shows `identity` to a client that trusts the authority.
  static void ExpectRefused(const TestCertificates::Identity& identity,
                            const testing::Matcher<std::string>& cause) {
    ApiServerOptions options;
    options.credentials = Showing(identity);
    const ApiServer server(options);
    const GrpcLog log(GPR_LOG_SEVERITY_DEBUG);
    const auto channel = Create(server.target(), ChannelCredentialsOf(ChannelKind::kTls));
    ExpectFails(*channel, server.address(), cause, DialResult::kHandshake);
    const grpc::Status status = Rpc(channel);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(), cause);
    EXPECT_TRUE(server.seen().empty());
    EXPECT_THAT(log.Get(), testing::Contains(
                               AllOf(HasSubstr("predial: "), HasSubstr(server.target()), cause)));
  }
};

TEST_F(PooledChannelTlsTest, AnExpiredCertificate) {
  ExpectRefused(Certificates().expired(), HasSubstr("certificate verify failed"));
}

TEST_F(PooledChannelTlsTest, ASelfSignedCertificate) {
  ExpectRefused(Certificates().self_signed(), HasSubstr("certificate verify failed"));
}

TEST_F(PooledChannelTlsTest, ACertificateOfAnotherAuthority) {
  ExpectRefused(Certificates().stranger(), HasSubstr("certificate verify failed"));
}

// The member's channel goes to a literal address; what is checked is the target's name.
TEST_F(PooledChannelTlsTest, ACertificateForAnotherHost) {
  ExpectRefused(Certificates().wrong_host(),
                HasSubstr("Peer name 127.0.0.1 is not in peer certificate"));
}

TEST_F(PooledChannelTlsTest, TheNameIsTheTargets) {
  ApiServerOptions options;
  options.credentials = Showing(Certificates().Server({"localhost"}));  // no address
  const ApiServer server(options);
  const std::string port = server.address().substr(server.address().rfind(':'));
  const auto good =
      Create(absl::StrCat("dns:///localhost", port), ChannelCredentialsOf(ChannelKind::kTls));
  EXPECT_TRUE(WaitForReadyMembers(*good, 2)) << good->Stats().last_error;
  EXPECT_TRUE(Rpc(good).ok());
  EXPECT_EQ(good->Stats().sockets_adopted, 2);
  const auto bad = Create(server.target(), ChannelCredentialsOf(ChannelKind::kTls));
  ExpectFails(*bad, server.address(), HasSubstr("Peer name 127.0.0.1 is not in peer certificate"),
              DialResult::kHandshake);
}

TEST_F(PooledChannelTlsTest, TheNameForTests) {
  ApiServerOptions options;
  options.credentials = Showing(Certificates().wrong_host());
  const ApiServer server(options);
  grpc::ChannelArguments args;
  args.SetSslTargetNameOverride("wrong.example");
  const auto channel =
      *PooledChannel::TryCreate(server.target(), ChannelCredentialsOf(ChannelKind::kTls), args);
  EXPECT_TRUE(WaitForReadyMembers(*channel, 2)) << channel->Stats().last_error;
  EXPECT_TRUE(Rpc(channel).ok());
  EXPECT_EQ(server.seen().at(0).authority, "wrong.example");  // as gRPC's own channels send it
}

TEST_F(PooledChannelTlsTest, AClientWithoutACertificate) {
  const ApiServer server(ServerOptionsOf(ChannelKind::kMutualTls));
  const auto channel = Create(server.target(), ChannelCredentialsOf(ChannelKind::kTls));
  // Under TLS 1.3 the client is through before the server has looked.
  const auto refused = [&] {
    const grpc::Status status = Rpc(channel);
    EXPECT_FALSE(status.ok());
    return channel->Stats().closed[static_cast<int>(CloseReason::kPeerClosed)] +
               channel->Stats().closed[static_cast<int>(CloseReason::kSetupFailed)] +
               channel->Stats().closed[static_cast<int>(CloseReason::kGoingAway)] >
           0;
  };
  EXPECT_TRUE(Eventually(refused)) << channel->Stats().last_error;
  EXPECT_TRUE(server.seen().empty());
}

TEST_F(PooledChannelTlsTest, APlaintextServer) {
  const ApiServer server;
  const auto channel = Create(server.target(), ChannelCredentialsOf(ChannelKind::kTls));
  ExpectFails(*channel, server.address(), HasSubstr("wrong version number"),
              DialResult::kHandshake);
  EXPECT_THAT(Rpc(channel).error_message(), HasSubstr("wrong version number"));
  EXPECT_TRUE(server.seen().empty());
}

TEST_F(PooledChannelTlsTest, ATlsServerWithoutCredentials) {
  const ApiServer server(ServerOptionsOf(ChannelKind::kTls));
  for (const PoolOptions::Mode mode : {PoolOptions::Mode::kFd, PoolOptions::Mode::kManaged}) {
    PoolOptions options;
    options.mode = mode;
    const auto channel = Create(server.target(), grpc::InsecureChannelCredentials(), options);
    ExpectFails(*channel, server.address(),
                mode == PoolOptions::Mode::kFd ? HasSubstr("not an HTTP/2 server")
                                               : HasSubstr("not to an HTTP/2 server"),
                DialResult::kOk);
    EXPECT_EQ(Rpc(channel).error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_TRUE(server.seen().empty());
  }
}

// A peer that reads a little, answers `answer`, and closes.
class CurtPeer {
 public:
  explicit CurtPeer(std::string answer) : answer_(std::move(answer)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~CurtPeer() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string address() const { return LocalAddress(listener_.get()).ToString(); }

 private:
  void Run() {
    for (;;) {
      const UniqueFd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) return;
      if (!WaitFor(client.get(), POLLIN)) return;
      char bytes[4096];
      if (recv(client.get(), bytes, sizeof(bytes), 0) <= 0) continue;
      send(client.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    }
  }

  const std::string answer_;
  const UniqueFd listener_ = ListenOn("127.0.0.1:0");
  std::thread thread_;
};

TEST_F(PooledChannelTlsTest, AHandshakeThatBreaksOff) {
  // The head of a handshake record of 64 bytes, and the first four of them.
  const CurtPeer peer(std::string("\x16\x03\x03\x00\x40\x02\x00\x00\x3c", 9));
  const auto channel =
      Create(absl::StrCat("ipv4:", peer.address()), ChannelCredentialsOf(ChannelKind::kTls));
  ExpectFails(
      *channel, peer.address(),
      HasSubstr("connected, but the TLS handshake failed: failed to connect to all addresses; "
                "last error: UNAVAILABLE: "),
      DialResult::kHandshake);
  EXPECT_EQ(Rpc(channel).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(PooledChannelTlsTest, AHandshakeThatNeverEnds) {
  const UniqueFd silent = ListenOn("127.0.0.1:0");  // the kernel accepts; nobody answers
  const std::string address = LocalAddress(silent.get()).ToString();
  PoolOptions options;
  options.socket.connect_timeout = absl::Milliseconds(200);
  const auto channel =
      Create(absl::StrCat("ipv4:", address), ChannelCredentialsOf(ChannelKind::kTls), options);
  ExpectFails(*channel, address,
              HasSubstr("connected, but the TLS handshake did not end within 200ms"),
              DialResult::kHandshake);
}

// --- Keys and tokens.

constexpr char kToken[] = "Bearer do-not-tell";

class Token final : public grpc::MetadataCredentialsPlugin {
 public:
  grpc::Status GetMetadata(grpc::string_ref, grpc::string_ref, const grpc::AuthContext&,
                           std::multimap<grpc::string, grpc::string>* metadata) override {
    metadata->emplace("authorization", kToken);
    return grpc::Status::OK;
  }
};

// Expects that the text has neither the token nor a line of the key.
void ExpectNothingSecret(const std::string& text, const TestCertificates::Identity& identity) {
  EXPECT_FALSE(absl::StrContains(text, "do-not-tell")) << text;
  const std::string line = identity.key.substr(identity.key.find('\n') + 1, 40);
  ASSERT_EQ(line.size(), 40u);
  EXPECT_FALSE(absl::StrContains(text, line)) << text;
}

TEST_F(PooledChannelTlsTest, CredentialsOfEachRpcInTheChannels) {
  const GrpcLog log(GPR_LOG_SEVERITY_DEBUG);
  const ApiServer server(ServerOptionsOf(ChannelKind::kMutualTls));
  const auto channel =
      Create(server.target(), grpc::CompositeChannelCredentials(
                                  ChannelCredentialsOf(ChannelKind::kMutualTls),
                                  grpc::MetadataCredentialsFromPlugin(std::make_unique<Token>())));
  EXPECT_TRUE(WaitForReadyMembers(*channel, 2)) << channel->Stats().last_error;
  EXPECT_TRUE(Rpc(channel).ok());
  EXPECT_EQ(channel->Stats().checkouts_anchor, 0);
  EXPECT_EQ(OnlyValue(server.seen().at(0).metadata, "authorization"), kToken);
  const PoolStats stats = channel->Stats();
  std::string said = absl::StrCat(stats.mode_reason, stats.last_error, stats.adoption);
  for (const DecisionStats& decision : stats.decisions) absl::StrAppend(&said, decision.reason);
  for (const std::string& line : log.Get()) absl::StrAppend(&said, line, "\n");
  ExpectNothingSecret(said, Certificates().client());
}

void Write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  ASSERT_TRUE(file) << path;
}

// Credentials from files that are looked at every second, the least that gRPC allows.
std::shared_ptr<grpc::ChannelCredentials> FromFiles(const std::string& key,
                                                    const std::string& certificate,
                                                    const std::string& authority) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(key, certificate,
                                                                           authority, 1));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

TEST_F(PooledChannelTlsTest, NewConnectionsHaveTheCertificatesOfTheirDay) {
  TestCertificates& certificates = Certificates();
  const std::string authority = absl::StrCat(certificates.directory(), "/watched-ca.pem");
  Write(authority, certificates.ca());
  const TestCertificates::Identity& client = certificates.client();
  const ApiServer server(ServerOptionsOf(ChannelKind::kMutualTls));
  const auto channel =
      Create(server.target(), FromFiles(client.key_path, client.certificate_path, authority));
  ASSERT_TRUE(WaitForReadyMembers(*channel, 2)) << channel->Stats().last_error;
  EXPECT_TRUE(Rpc(channel).ok());

  // Once it is believed no more, new connections fail, and the old ones go on.
  Write(authority, certificates.self_signed().certificate);
  const auto handshakes = [&] {
    return channel->Stats().dials[static_cast<int>(DialResult::kHandshake)];
  };
  EXPECT_TRUE(Eventually([&] {
    channel->ReplaceConnections();
    EXPECT_TRUE(Rpc(channel).ok());
    return handshakes() > 0;
  }));
  EXPECT_THAT(channel->Stats().endpoints[0].last_error, HasSubstr("certificate verify failed"));
  EXPECT_TRUE(Rpc(channel).ok());

  Write(authority, certificates.ca());
  const int64_t ready = channel->Stats().sockets_adopted;
  EXPECT_TRUE(Eventually([&] {
    const PoolStats stats = channel->Stats();
    return stats.rotations[static_cast<int>(RotateReason::kAsked)] >= 2 &&
           stats.sockets_adopted > ready && stats.endpoints[0].ready == 2 &&
           stats.endpoints[0].last_error.empty();
  }));
  EXPECT_TRUE(Rpc(channel).ok());
}

// Root may read any file. Of this thread, and of those that it starts, not any more.
void DropTheRightToReadAll() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  ASSERT_EQ(syscall(SYS_capget, &header, data), 0);
  data[0].effective &= ~((1u << CAP_DAC_OVERRIDE) | (1u << CAP_DAC_READ_SEARCH));
  ASSERT_EQ(syscall(SYS_capset, &header, data), 0);
}

TEST_F(PooledChannelTlsTest, AKeyThatMayNotBeRead) {
  TestCertificates& certificates = Certificates();
  const TestCertificates::Identity& client = certificates.client();
  const std::string key = absl::StrCat(certificates.directory(), "/unreadable.key");
  Write(key, client.key);
  ASSERT_EQ(chmod(key.c_str(), 0), 0);
  const ApiServer server(ServerOptionsOf(ChannelKind::kMutualTls));
  std::thread([&] {
    DropTheRightToReadAll();
    ASSERT_EQ(open(key.c_str(), O_RDONLY | O_CLOEXEC), -1);
    const GrpcLog log(GPR_LOG_SEVERITY_DEBUG);
    const auto channel =
        Create(server.target(), FromFiles(key, client.certificate_path, certificates.ca_path()));
    ExpectFails(*channel, server.address(), HasSubstr("the TLS handshake failed"),
                DialResult::kHandshake);
    EXPECT_EQ(Rpc(channel).error_code(), grpc::StatusCode::UNAVAILABLE);
    // gRPC tells which file, and why, in its log.
    std::string said;
    for (const std::string& line : log.Get()) absl::StrAppend(&said, line, "\n");
    EXPECT_THAT(said, AllOf(HasSubstr(key), HasSubstr("Permission denied")));
    ExpectNothingSecret(said, client);
  }).join();
  EXPECT_TRUE(server.seen().empty());
}

}  // namespace
}  // namespace predial
