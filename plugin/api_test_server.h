// ApiServer: a real server with EchoService that also looks at every RPC: what the client sent
// beside its messages, and when its context is gone.
//
// What the client sends under a key that begins with "echo-initial" comes back in the initial
// metadata, "echo-trailing" in the trailing metadata.
//
// Threads: thread-safe.
#pragma once

#include <grpc/compression.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_context.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/echo.grpc.pb.h"

namespace predial {

using MetadataMap = std::multimap<std::string, std::string>;

MetadataMap CopyMetadata(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata);
// The only value of `key`; "(none)" without one, "(several)" with more than one.
std::string OnlyValue(const MetadataMap& metadata, const std::string& key);

// An RPC as the server saw it begin.
struct SeenRpc {
  std::string authority;
  std::string peer;
  MetadataMap metadata;
  std::chrono::system_clock::time_point deadline;
};

struct ApiServerOptions {
  std::string address = "127.0.0.1:0";
  // Default: insecure.
  std::shared_ptr<grpc::ServerCredentials> credentials;
  // The server refuses messages in any of these.
  std::vector<grpc_compression_algorithm> refused_compression;
};

class ApiServer {
 public:
  // Aborts if it cannot listen.
  explicit ApiServer(const ApiServerOptions& options = {});
  ~ApiServer();

  // "127.0.0.1:41167", or "unix:/path".
  const std::string& address() const { return address_; }
  // As a target: "ipv4:127.0.0.1:41167", or "unix:/path".
  std::string target() const;

  // RPCs of EchoService so far, in the order in which they began.
  std::vector<SeenRpc> seen() const;
  // Waits until `count` have begun; false if they do not in time.
  bool WaitForRpcs(size_t count) const;
  // Waits until none is running: true if the server has learnt of the end of each.
  bool WaitForNone() const;

 private:
  class State;
  class Service;

  const std::shared_ptr<State> state_;
  const std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace predial
