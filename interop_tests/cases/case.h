// The interop cases: gRPC's published ones by their published names, and long_lived and
// slow_consumer. Each is written once, over TestClient, and so runs through every API and over
// every channel.
//
// A case returns OK, or a status whose message says what was expected and what came. It always
// ends: every RPC has a deadline.
#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "interop_tests/cases/test_client.h"

namespace predial {

struct CaseOptions {
  // rpc_soak: how many RPCs; channel_soak: a tenth as many channels, at least one. Range [1,
  // 1000000].
  int soak_rpcs = 1000;
  // long_lived: how long its stream is open at least.
  std::chrono::milliseconds long_lived_for{2000};
  // Of one RPC.
  std::chrono::milliseconds rpc_deadline{20000};
};

// What a case runs with.
struct CaseRun {
  TestClient* client;
  // Calls its argument with a client over a channel made for it alone. Returns what is wrong with
  // either.
  std::function<absl::Status(const std::function<absl::Status(TestClient&)>& use)> over_new_channel;
  std::string affinity_key;  // metadata that every RPC has to have; "" if none
  std::string affinity_value;
  CaseOptions options;

  // With the deadline and the metadata that an RPC of the case has to have.
  std::unique_ptr<grpc::ClientContext> NewContext() const;
};

struct Case {
  const char* name;
  absl::Status (*run)(const CaseRun& run);
  // Makes RPCs only over_new_channel().
  bool on_new_channels = false;
};

// In the order in which they are run.
const std::vector<Case>& AllCases();
// Null if there is none of that name.
const Case* FindCase(const std::string& name);

}  // namespace predial
