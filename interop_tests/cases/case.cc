#include "interop_tests/cases/case.h"

#include "interop_tests/cases/compression_cases.h"
#include "interop_tests/cases/ending_cases.h"
#include "interop_tests/cases/long_cases.h"
#include "interop_tests/cases/message_cases.h"

namespace predial {

std::unique_ptr<grpc::ClientContext> CaseRun::NewContext() const {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + options.rpc_deadline);
  if (!affinity_key.empty()) context->AddMetadata(affinity_key, affinity_value);
  return context;
}

const std::vector<Case>& AllCases() {
  static const auto* const cases = new std::vector<Case>{
      {"empty_unary", EmptyUnary},
      {"large_unary", LargeUnary},
      {"client_streaming", ClientStreaming},
      {"server_streaming", ServerStreaming},
      {"ping_pong", PingPong},
      {"empty_stream", EmptyStream},
      {"half_duplex", HalfDuplex},
      {"client_compressed_unary", ClientCompressedUnary},
      {"client_compressed_streaming", ClientCompressedStreaming},
      {"server_compressed_unary", ServerCompressedUnary},
      {"server_compressed_streaming", ServerCompressedStreaming},
      {"cancel_after_begin", CancelAfterBegin},
      {"cancel_after_first_response", CancelAfterFirstResponse},
      {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
      {"status_code_and_message", StatusCodeAndMessage},
      {"special_status_message", SpecialStatusMessage},
      {"custom_metadata", CustomMetadata},
      {"unimplemented_method", UnimplementedMethod},
      {"unimplemented_service", UnimplementedServiceCase},
      {"rpc_soak", RpcSoak},
      {"channel_soak", ChannelSoak, /*on_new_channels=*/true},
      {"long_lived", LongLived},
      {"slow_consumer", SlowConsumer, /*on_new_channels=*/true},
  };
  return *cases;
}

const Case* FindCase(const std::string& name) {
  for (const Case& candidate : AllCases()) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

}  // namespace predial
