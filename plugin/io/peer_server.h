// PeerServer, and what tests do with it: a server that tells which of the client's sockets an RPC
// came through.
//
// Threads: thread-safe.
#pragma once

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "plugin/io/address.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/unique_fd.h"
#include "proto/echo.grpc.pb.h"

namespace predial {

// Answers with the address that the connection comes from, as gRPC writes it.
class PeerServer {
 public:
  explicit PeerServer(const std::string& address,
                      const std::shared_ptr<grpc::ServerCredentials>& credentials =
                          grpc::InsecureServerCredentials()) {
    int port = 0;
    grpc::ServerBuilder builder;
    // Not for a second server, whoever's, on the same port.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(address, credentials, &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    const size_t colon = address.rfind(':');
    address_ = absl::StrCat(address.substr(0, colon), ":", port);
  }
  ~PeerServer() {
    if (server_ != nullptr) server_->Shutdown();
  }

  bool listens() const { return server_ != nullptr; }
  // For Address::Parse(). Not of a unix socket.
  const std::string& address() const { return address_; }

 private:
  class Service final : public echo::v1::Echo::Service {
    grpc::Status Unary(grpc::ServerContext* context, const echo::v1::EchoRequest*,
                       echo::v1::EchoResponse* response) override {
      response->set_message(context->peer());
      return grpc::Status::OK;
    }
  };

  Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

// As our dialers do it: one connect() that does not block, and poll() for its end.
inline UniqueFd DialWithoutBlocking(const Address& peer, int protocol = 0) {
  UniqueFd fd(socket(peer.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd.valid()) return fd;
  EXPECT_NE(connect(fd.get(), peer.sockaddr_ptr(), peer.size()), 0);
  EXPECT_EQ(errno, EINPROGRESS);
  EXPECT_TRUE(WaitFor(fd.get(), POLLOUT));
  return fd;
}

// What PeerServer says about the peer of a connection from `socket`.
inline std::string NameOf(const UniqueFd& socket) {
  std::string name = LocalAddress(socket.get()).ToGrpcTarget();
  // The server has it percent-encoded.
  return absl::StartsWith(name, "ipv6:[::1]") ? absl::StrCat("ipv6:%5B::1%5D", name.substr(10))
                                              : name;
}

// The peer that the server saw, or the RPC's error.
inline std::string PeerOf(const std::shared_ptr<grpc::Channel>& channel,
                          bool wait_for_ready = false) {
  grpc::ClientContext context;
  context.set_wait_for_ready(wait_for_ready);
  context.set_deadline(std::chrono::system_clock::now() + kTestPatience);
  echo::v1::EchoResponse response;
  const grpc::Status status =
      echo::v1::Echo::NewStub(channel)->Unary(&context, echo::v1::EchoRequest(), &response);
  return status.ok() ? response.message() : absl::StrCat("failed: ", status.error_message());
}

}  // namespace predial
