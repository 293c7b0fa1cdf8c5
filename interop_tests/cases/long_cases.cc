#include "interop_tests/cases/long_cases.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "interop_tests/cases/expect.h"
#include "interop_tests/cases/message_cases.h"
#include "interop_tests/cases/stream_steps.h"

namespace predial {
namespace {

using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingOutputCallRequest;

constexpr int kRpcsPerChannel = 10;  // of rpc_soak for each channel of channel_soak

constexpr int kSmallBytes = 100;
constexpr int kRpcsBetween = 20;         // two messages of long_lived
constexpr int kMessagesMax = 1'000'000;  // of long_lived

constexpr int kSlowMessages = 64;
constexpr int kSlowBytes = 256 << 10;
constexpr int kRpcsBetweenReads = 2;

// What was wrong with which of how many.
absl::Status At(const char* what, int index, int count, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(what, " ", index + 1, " of ", count, ": ", status.message()));
}

absl::Status CallSmallUnary(TestClient& client, const CaseRun& run) {
  const auto context = run.NewContext();
  SimpleRequest request;
  request.set_response_size(kSmallBytes);
  SimpleResponse response;
  const absl::Status result =
      ExpectOk("UnaryCall", client.UnaryCall(context.get(), request, &response));
  return result.ok() ? ExpectPayload("UnaryCall", response.payload(), kSmallBytes) : result;
}

absl::Status CallSmallUnaries(TestClient& client, const CaseRun& run, int count) {
  absl::Status result;
  for (int i = 0; i < count && result.ok(); ++i) result = CallSmallUnary(client, run);
  return result;
}

absl::Status ConsumeSlowly(TestClient& client, const CaseRun& run) {
  const auto context = run.NewContext();
  StreamingOutputCallRequest request;
  for (int i = 0; i < kSlowMessages; ++i) {
    request.add_response_parameters()->set_size(kSlowBytes + i);  // shows their order
  }
  const auto stream = client.StreamingOutputCall(context.get(), request);
  for (int i = 0; i < kSlowMessages; ++i) {
    absl::Status result = CallSmallUnaries(client, run, kRpcsBetweenReads);
    if (result.ok()) {
      result = ReadPayload(*stream, ResponseOf("StreamingOutputCall", i), kSlowBytes + i);
    }
    if (!result.ok()) return result;
  }
  return ReadEnd(*stream, "StreamingOutputCall");
}

}  // namespace

absl::Status RpcSoak(const CaseRun& run) {
  const int count = run.options.soak_rpcs;
  for (int i = 0; i < count; ++i) {
    const absl::Status result = CallLargeUnary(*run.client, run);
    if (!result.ok()) return At("RPC", i, count, result);
  }
  return absl::OkStatus();
}

absl::Status ChannelSoak(const CaseRun& run) {
  const int count = std::max(1, run.options.soak_rpcs / kRpcsPerChannel);
  for (int i = 0; i < count; ++i) {
    const absl::Status result =
        run.over_new_channel([&run](TestClient& client) { return CallLargeUnary(client, run); });
    if (!result.ok()) return At("channel", i, count, result);
  }
  return absl::OkStatus();
}

absl::Status LongLived(const CaseRun& run) {
  const auto context = run.NewContext();
  context->set_deadline(std::chrono::system_clock::now() + run.options.long_lived_for +
                        run.options.rpc_deadline);
  const auto stream = run.client->FullDuplexCall(context.get());
  const auto end = std::chrono::steady_clock::now() + run.options.long_lived_for;
  for (int i = 0; i < kMessagesMax; ++i) {
    const bool last = std::chrono::steady_clock::now() >= end;
    const int bytes = kSmallBytes + i % kSmallBytes;  // tells one message from the next
    absl::Status result = CallSmallUnaries(*run.client, run, kRpcsBetween);
    if (result.ok()) {
      result = WriteRequest(*stream, absl::StrCat("FullDuplexCall, request ", i),
                            OutputRequest(kSmallBytes, bytes));
    }
    if (result.ok()) result = ReadPayload(*stream, ResponseOf("FullDuplexCall", i), bytes);
    if (!result.ok()) return result;
    if (last) break;
  }
  stream->WritesDone();
  return ReadEnd(*stream, "FullDuplexCall");
}

absl::Status SlowConsumer(const CaseRun& run) {
  return run.over_new_channel([&run](TestClient& client) { return ConsumeSlowly(client, run); });
}

}  // namespace predial
