// The channels that the API tests compare: the same test runs over an ordinary channel and over a
// PooledChannel, on its members and on its anchor, and has to hold for each.
#pragma once

#include <grpcpp/create_channel.h>
#include <grpcpp/impl/channel_interface.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "plugin/api_test_server.h"
#include "plugin/channel_test_util.h"
#include "plugin/pooled_channel.h"
#include "plugin/testing/failing_dialer.h"
#include "plugin/testing/test_certificates.h"

namespace predial {

enum class ChannelKind {
  kOrdinary,  // grpc::CreateCustomChannel: says what is right
  kMembers,   // a PooledChannel whose members are ready
  kAnchor,    // a PooledChannel that never has a member
  // As kMembers, with managed members:
  kManaged,
  kTls,        // the server has a certificate
  kMutualTls,  // and asks for the client's
};
inline constexpr ChannelKind kChannelKinds[] = {ChannelKind::kOrdinary, ChannelKind::kMembers,
                                                ChannelKind::kAnchor,   ChannelKind::kManaged,
                                                ChannelKind::kTls,      ChannelKind::kMutualTls};
inline constexpr ChannelKind kMemberKinds[] = {ChannelKind::kMembers, ChannelKind::kManaged,
                                               ChannelKind::kTls, ChannelKind::kMutualTls};
// RPCs go over members.
inline bool HasMembers(ChannelKind kind) {
  return kind != ChannelKind::kOrdinary && kind != ChannelKind::kAnchor;
}
inline bool IsSecure(ChannelKind kind) {
  return kind == ChannelKind::kTls || kind == ChannelKind::kMutualTls;
}
inline std::string NameOf(ChannelKind kind) {
  switch (kind) {
    case ChannelKind::kOrdinary:
      return "Ordinary";
    case ChannelKind::kMembers:
      return "Members";
    case ChannelKind::kAnchor:
      return "Anchor";
    case ChannelKind::kManaged:
      return "Managed";
    case ChannelKind::kTls:
      return "Tls";
    case ChannelKind::kMutualTls:
      break;
  }
  return "MutualTls";
}

// Of the process.
inline TestCertificates& Certificates() {
  static TestCertificates certificates;
  return certificates;
}

inline std::shared_ptr<grpc::ServerCredentials> ServerCredentialsOf(ChannelKind kind) {
  if (!IsSecure(kind)) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(
      kind == ChannelKind::kTls ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  // Beside its addresses, names by which tests call it.
  static const TestCertificates::Identity server =
      Certificates().Server({"localhost", "127.0.0.1", "::1", "orders.example", "one-rpc.example"});
  options.pem_root_certs = Certificates().ca();
  options.pem_key_cert_pairs.push_back({server.key, server.certificate});
  return grpc::SslServerCredentials(options);
}

inline std::shared_ptr<grpc::ChannelCredentials> ChannelCredentialsOf(ChannelKind kind) {
  if (!IsSecure(kind)) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = Certificates().ca();
  if (kind == ChannelKind::kMutualTls) {
    options.pem_private_key = Certificates().client().key;
    options.pem_cert_chain = Certificates().client().certificate;
  }
  return grpc::SslCredentials(options);
}

inline ApiServerOptions ServerOptionsOf(ChannelKind kind) {
  ApiServerOptions options;
  options.credentials = ServerCredentialsOf(kind);
  return options;
}

inline EchoServerOptions ServerOptionsOf(ChannelKind kind, EchoServerOptions options) {
  options.credentials = ServerCredentialsOf(kind);
  return options;
}

inline PoolOptions PoolOptionsOf(ChannelKind kind, PoolOptions options = {}) {
  if (kind == ChannelKind::kManaged) options.mode = PoolOptions::Mode::kManaged;
  return options;
}

// A channel of the wanted kind, and for the pooled ones what is left of it to check.
class ChannelUnderTest {
 public:
  // Waits for the members if it is to have some.
  ChannelUnderTest(ChannelKind kind, const std::string& target,
                   const grpc::ChannelArguments& args = {},
                   PooledChannel::Interceptors interceptors = {}, PoolOptions options = {})
      : kind_(kind) {
    const auto credentials = ChannelCredentialsOf(kind);
    if (kind == ChannelKind::kOrdinary) {
      grpc::ChannelArguments own = args;
      own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      channel_ = grpc::experimental::CreateCustomChannelWithInterceptors(target, credentials, own,
                                                                         std::move(interceptors));
      return;
    }
    if (kind == ChannelKind::kAnchor) {
      options.dialer = std::make_shared<FailingDialer>();
      options.backoff.initial = options.backoff.max = options.backoff.under_demand = absl::Hours(1);
    }
    pooled_ = PooledChannel::Create(target, credentials, args, std::move(interceptors),
                                    PoolOptionsOf(kind, std::move(options)));
    channel_ = pooled_;
    if (HasMembers(kind)) {
      EXPECT_TRUE(WaitForReadyMembers(*pooled_, options.connections_min))
          << pooled_->Stats().last_error;
    }
  }
  ChannelUnderTest(ChannelUnderTest&&) = default;

  const std::shared_ptr<grpc::ChannelInterface>& get() const { return channel_; }
  // Null for an ordinary channel.
  const std::shared_ptr<PooledChannel>& pooled() const { return pooled_; }

  // Expects that all RPCs took the way that they should, and that they have ended as far as the
  // pool is concerned: shuts it down.
  void ExpectAllReturned() const {
    if (pooled_ == nullptr) return;
    EXPECT_TRUE(Eventually([&] { return pooled_->Stats().leases == 0; }));
    const PoolStats stats = pooled_->Stats();
    if (HasMembers(kind_)) {
      EXPECT_EQ(stats.checkouts_anchor, 0);
      EXPECT_EQ(stats.mode, kind_ == ChannelKind::kMembers ? "fd" : "managed");
    } else {
      EXPECT_EQ(stats.checkouts_new + stats.checkouts_reused, 0);
    }
    EXPECT_TRUE(pooled_->Shutdown(absl::Now() + absl::FromChrono(kPatience)));
  }
  // RPCs in flight on members.
  int64_t leases() const { return pooled_ == nullptr ? 0 : pooled_->Stats().leases; }

 private:
  ChannelKind kind_;
  std::shared_ptr<PooledChannel> pooled_;
  std::shared_ptr<grpc::ChannelInterface> channel_;
};

// The address of a unix socket where nobody listens, until a server is started there. Random:
// tests in sandboxes of their own share names and have the same pids.
inline std::string UnusedAddress() {
  std::random_device random;
  return absl::StrCat("unix-abstract:predial-test-", absl::Hex(random()), absl::Hex(random()));
}

inline std::chrono::system_clock::time_point Patiently() {
  return std::chrono::system_clock::now() + kPatience;
}

}  // namespace predial
