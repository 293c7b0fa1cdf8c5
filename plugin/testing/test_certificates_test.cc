// What gRPC, as a client and as a server, says to each of the certificates.
#include "plugin/testing/test_certificates.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

using ::testing::AnyOf;
using ::testing::Each;
using ::testing::HasSubstr;

class TestCertificatesTest : public ::testing::Test {
 protected:
  // One RPC to a server with `server`'s certificate, which asks for a client's if there is one.
  grpc::Status Call(const TestCertificates::Identity& server,
                    const TestCertificates::Identity* client = nullptr,
                    bool ask_for_client = false) {
    grpc::SslServerCredentialsOptions server_options(
        ask_for_client ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                       : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    server_options.pem_root_certs = certificates_.ca();
    server_options.pem_key_cert_pairs.push_back({server.key, server.certificate});
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(server_options), &port);
    builder.RegisterService(&service_);
    const std::unique_ptr<grpc::Server> started = builder.BuildAndStart();

    grpc::SslCredentialsOptions options;
    options.pem_root_certs = certificates_.ca();
    if (client != nullptr) {
      options.pem_private_key = client->key;
      options.pem_cert_chain = client->certificate;
    }
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port),
                                                   grpc::SslCredentials(options), args);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    echo::v1::EchoResponse response;
    const grpc::Status status =
        echo::v1::Echo::NewStub(channel)->Unary(&context, echo::v1::EchoRequest(), &response);
    started->Shutdown(std::chrono::system_clock::now());
    return status;
  }

  // OpenSSL and BoringSSL, of which gRPC has one, write it differently.
  void ExpectNotVerified(const TestCertificates::Identity& server) {
    const grpc::Status status = Call(server);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(), AnyOf(HasSubstr("certificate verify failed"),
                                              HasSubstr("CERTIFICATE_VERIFY_FAILED")));
  }

  class Service final : public echo::v1::Echo::Service {
    grpc::Status Unary(grpc::ServerContext*, const echo::v1::EchoRequest*,
                       echo::v1::EchoResponse*) override {
      return grpc::Status::OK;
    }
  };

  TestCertificates certificates_;
  Service service_;
};

TEST_F(TestCertificatesTest, AGoodServersIsBelieved) {
  EXPECT_TRUE(Call(certificates_.server()).ok());
  EXPECT_TRUE(Call(certificates_.Server({"127.0.0.1"})).ok());
}

TEST_F(TestCertificatesTest, AClientsIsBelieved) {
  EXPECT_TRUE(Call(certificates_.server(), &certificates_.client(), true).ok());
}

TEST_F(TestCertificatesTest, AClientWithoutOneOrWithAStrangersIsRefused) {
  EXPECT_EQ(Call(certificates_.server(), nullptr, true).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(certificates_.server(), &certificates_.stranger(), true).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(TestCertificatesTest, BadServersAreRefused) {
  ExpectNotVerified(certificates_.expired());
  ExpectNotVerified(certificates_.self_signed());
  ExpectNotVerified(certificates_.stranger());
  const grpc::Status status = Call(certificates_.wrong_host());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("Peer name 127.0.0.1 is not in peer certificate"));
}

// It is made once: what they have is what is in the files.
TEST_F(TestCertificatesTest, ManyThreadsMayAskFirst) {
  const auto read = [](const std::string& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  std::vector<std::string> keys(4);
  std::vector<std::thread> threads;
  for (std::string& key : keys) {
    threads.emplace_back([this, &key] { key = certificates_.client().key; });
  }
  for (std::thread& thread : threads) thread.join();
  const TestCertificates::Identity& client = certificates_.client();
  EXPECT_THAT(client.key, HasSubstr("END PRIVATE KEY"));
  EXPECT_THAT(keys, Each(client.key));
  EXPECT_EQ(client.key, read(client.key_path));
  EXPECT_EQ(client.certificate, read(client.certificate_path));
}

TEST_F(TestCertificatesTest, TheFilesAreThereAndGoWithIt) {
  std::string directory;
  {
    TestCertificates certificates;
    directory = certificates.directory();
    EXPECT_TRUE(std::filesystem::exists(certificates.ca_path()));
    EXPECT_TRUE(std::filesystem::exists(certificates.server().certificate_path));
    EXPECT_TRUE(std::filesystem::exists(certificates.server().key_path));
    EXPECT_NE(certificates.ca(), certificates_.ca());
  }
  EXPECT_FALSE(std::filesystem::exists(directory));
}

}  // namespace
}  // namespace predial
