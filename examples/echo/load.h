// RunLoad(): many RPCs to EchoService from many threads, each answer checked, over whatever channel
// it is given. Knows nothing of pools.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/impl/codegen/channel_interface.h"
#include "grpcpp/support/status_code_enum.h"

namespace predial {

enum class CallKind { kUnary, kClientStream, kServerStream, kBidiStream };

// From "unary,client_stream,server_stream,bidi", or any of them. INVALID_ARGUMENT names what is
// unknown.
absl::StatusOr<std::vector<CallKind>> ParseCallKinds(absl::string_view text);

struct LoadOptions {
  // Range [1, 10000000]: each costs 8 bytes for its latency.
  int64_t rpcs = 50'000;
  // RPCs at a time. Range [1, 1024].
  int threads = 8;
  // Bytes of padding in each request. Range [0, 64 MiB].
  int payload_bytes = 0;
  // Taken in turn; at least one. A stream carries three messages each way it streams.
  std::vector<CallKind> kinds = {CallKind::kUnary};
  // Deadline of each RPC. Range (0, 1 h].
  absl::Duration timeout = absl::Seconds(10);
  // RPCs started per second by all threads together; 0 is as fast as they go. Range [0, 1e6].
  double rate = 0;

  // INVALID_ARGUMENT names the field, its value and its range.
  absl::Status Validate() const;
};

struct LoadResult {
  struct Errors {
    int64_t count = 0;
    std::string example;  // one of the messages
  };

  int64_t rpcs = 0;
  absl::Duration took;
  // By status code. A wrong answer counts as DATA_LOSS.
  std::map<grpc::StatusCode, Errors> errors;
  // Of all RPCs, failed ones too, in nanoseconds, sorted.
  std::vector<int64_t> latencies;
  // RPCs answered, by EchoResponse::server_port.
  std::map<int, int64_t> answered_by;
};

// Returns when all RPCs have ended. `options` must be valid.
LoadResult RunLoad(const std::shared_ptr<grpc::ChannelInterface>& channel,
                   const LoadOptions& options);

}  // namespace predial
