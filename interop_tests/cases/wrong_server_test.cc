// A check that cannot fail proves nothing: each of these servers is wrong in one way, and the case
// that is about it has to fail and to say what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "interop_tests/cases/case.h"
#include "interop_tests/cases/contender.h"
#include "interop_tests/cases/runner.h"
#include "interop_tests/cases/test_client.h"
#include "interop_tests/peers/test_server.h"

namespace predial {
namespace {

using grpc::testing::Payload;
using grpc::testing::SimpleRequest;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingOutputCallRequest;

struct Wrong {
  const char* case_name;
  const char* how;  // a name for the test
  TestServiceFaults faults;
  const char* text;  // in what the case says
};

// --- Faults.

TestServiceFaults EmptyCallEnds(grpc::StatusCode code, const char* message) {
  TestServiceFaults faults;
  faults.empty_call = grpc::Status(code, message);
  return faults;
}
TestServiceFaults UnimplementedCallEnds(const grpc::Status& status) {
  TestServiceFaults faults;
  faults.unimplemented_call = status;
  return faults;
}
TestServiceFaults InUnary(std::function<void(SimpleRequest&)> change) {
  TestServiceFaults faults;
  faults.unary = std::move(change);
  return faults;
}
TestServiceFaults InInput(std::function<void(StreamingInputCallRequest&)> change) {
  TestServiceFaults faults;
  faults.input = std::move(change);
  return faults;
}
TestServiceFaults InOutput(std::function<void(StreamingOutputCallRequest&)> change) {
  TestServiceFaults faults;
  faults.output = std::move(change);
  return faults;
}
TestServiceFaults InPayload(std::function<void(Payload&)> change) {
  TestServiceFaults faults;
  faults.payload = std::move(change);
  return faults;
}
TestServiceFaults NoInitialMetadata() {
  TestServiceFaults faults;
  faults.no_initial_metadata = true;
  return faults;
}
TestServiceFaults NoTrailingMetadata() {
  TestServiceFaults faults;
  faults.no_trailing_metadata = true;
  return faults;
}
TestServiceFaults OneMoreAtEnd(int bytes) {
  TestServiceFaults faults;
  faults.at_end.add_response_parameters()->set_size(bytes);
  return faults;
}
TestServiceFaults EndsWith(grpc::StatusCode code) {
  TestServiceFaults faults;
  faults.at_end.mutable_response_status()->set_code(code);
  return faults;
}

// Calls `change` for the requests from number `first` on, counted from 0.
template <typename Request>
std::function<void(Request&)> From(int first, std::function<void(Request&)> change) {
  const auto seen = std::make_shared<std::atomic<int>>(0);
  return [=](Request& request) {
    if ((*seen)++ >= first) change(request);
  };
}

template <typename Request>
void FailIt(Request& request) {
  request.mutable_response_status()->set_code(grpc::StatusCode::ABORTED);
}
void OneByteMore(SimpleRequest& request) { request.set_response_size(request.response_size() + 1); }
void OneByteMoreEach(StreamingOutputCallRequest& request) {
  for (auto& each : *request.mutable_response_parameters()) each.set_size(each.size() + 1);
}
void WithoutLast(StreamingOutputCallRequest& request) {
  request.mutable_response_parameters()->RemoveLast();
}
void WithoutMiddle(StreamingOutputCallRequest& request) {
  auto& all = *request.mutable_response_parameters();
  all.erase(all.begin() + all.size() / 2);
}
void OneResponseMore(StreamingOutputCallRequest& request) {
  request.add_response_parameters()->set_size(7);
}
void SwapTwo(StreamingOutputCallRequest& request) {
  request.mutable_response_parameters()->SwapElements(1, 2);
}
// Sends all, and then does not end with OK.
void FailAtEnd(StreamingOutputCallRequest& request) {
  request.add_response_parameters()->set_size(-1);
}
void NoResponses(StreamingOutputCallRequest& request) { request.clear_response_parameters(); }
void LoseAByte(StreamingInputCallRequest& request) {
  request.mutable_payload()->mutable_body()->pop_back();
}
void CompressAll(StreamingOutputCallRequest& request) {
  for (auto& each : *request.mutable_response_parameters()) {
    each.mutable_compressed()->set_value(true);
  }
}
void CompressNone(StreamingOutputCallRequest& request) {
  for (auto& each : *request.mutable_response_parameters()) each.clear_compressed();
}
void SetMessage(SimpleRequest& request) {
  // As a server that cannot say U+1F608.
  std::string& message = *request.mutable_response_status()->mutable_message();
  const size_t at = message.find("\xf0\x9f\x98\x88");
  if (at != std::string::npos) message.replace(at, 4, "?");
}

std::vector<Wrong> Servers() {
  return {
      {"empty_unary", "Fails", EmptyCallEnds(grpc::StatusCode::INTERNAL, "no"),
       "EmptyCall: expected the status OK, got 13 INTERNAL \"no\""},
      {"empty_unary", "HasNoSuchMethod", EmptyCallEnds(grpc::StatusCode::UNIMPLEMENTED, ""),
       "EmptyCall: expected the status OK, got 12 UNIMPLEMENTED"},
      {"large_unary", "WrongSize", InUnary(OneByteMore),
       "UnaryCall: expected a payload of 314159 bytes, got 314160"},
      {"large_unary", "WrongBytes", InPayload([](Payload& p) { p.mutable_body()->back() = 'x'; }),
       "UnaryCall: expected a payload of zeros, got 120 at byte 314158"},
      {"large_unary", "WrongType",
       InPayload([](Payload& p) { p.set_type(static_cast<grpc::testing::PayloadType>(2)); }),
       "UnaryCall: expected a payload of type COMPRESSABLE, got type 2"},
      {"large_unary", "Fails", InUnary(FailIt<SimpleRequest>), "got 10 ABORTED"},
      {"client_streaming", "WrongSum", InInput(LoseAByte),
       "StreamingInputCall: expected the sum 74922, got 74918"},
      {"client_streaming", "RefusesAMessage", InInput([](StreamingInputCallRequest& r) {
         r.mutable_expect_compressed()->set_value(true);
       }),
       "3 INVALID_ARGUMENT \"the message should have been compressed\""},
      {"server_streaming", "LosesTheLast", InOutput(WithoutLast),
       "StreamingOutputCall, response 3: not possible, the RPC had ended with OK"},
      {"server_streaming", "SendsOneMore", InOutput(OneResponseMore),
       "StreamingOutputCall: expected no more responses, got one of 7 bytes"},
      {"server_streaming", "SwapsTwo", InOutput(SwapTwo),
       "StreamingOutputCall, response 1: expected a payload of 9 bytes, got 2653"},
      {"server_streaming", "FailsAtTheEnd", InOutput(FailAtEnd),
       "StreamingOutputCall: expected the status OK, got 3 INVALID_ARGUMENT"},
      {"ping_pong", "WrongSize", InOutput(OneByteMoreEach),
       "FullDuplexCall, response 0: expected a payload of 31415 bytes, got 31416"},
      {"ping_pong", "FailsMidway",
       InOutput(From<StreamingOutputCallRequest>(2, FailIt<StreamingOutputCallRequest>)),
       "FullDuplexCall, response 2: not possible, the RPC had ended with 10 ABORTED"},
      {"ping_pong", "DoesNotAnswer", InOutput(NoResponses),
       "FullDuplexCall, response 0: not possible, the RPC had ended with 4 DEADLINE_EXCEEDED"},
      {"ping_pong", "SendsOneMore", OneMoreAtEnd(7),
       "FullDuplexCall: expected no more responses, got one of 7 bytes"},
      {"ping_pong", "FailsAtTheEnd", EndsWith(grpc::StatusCode::DATA_LOSS),
       "FullDuplexCall: expected the status OK, got 15 DATA_LOSS"},
      {"empty_stream", "SendsAMessage", OneMoreAtEnd(7),
       "FullDuplexCall: expected no more responses, got one of 7 bytes"},
      {"empty_stream", "Fails", EndsWith(grpc::StatusCode::DATA_LOSS),
       "FullDuplexCall: expected the status OK, got 15 DATA_LOSS"},
      {"half_duplex", "LosesOne", InOutput(From<StreamingOutputCallRequest>(3, NoResponses)),
       "HalfDuplexCall, response 3: not possible, the RPC had ended with OK"},
      {"half_duplex", "WrongSize", InOutput(OneByteMoreEach),
       "HalfDuplexCall, response 0: expected a payload of 31415 bytes, got 31416"},
      {"half_duplex", "SendsOneMore", OneMoreAtEnd(7),
       "HalfDuplexCall: expected no more responses, got one of 7 bytes"},
      {"client_compressed_unary", "DoesNotCheck",
       InUnary([](SimpleRequest& r) { r.clear_expect_compressed(); }),
       "uncompressed request that says it is compressed: expected the status INVALID_ARGUMENT, got "
       "OK"},
      {"client_compressed_unary", "RefusesCompressed", InUnary([](SimpleRequest& r) {
         if (r.expect_compressed().value()) r.mutable_response_status()->set_code(3);
       }),
       "UnaryCall, compressed request: expected the status OK, got 3 INVALID_ARGUMENT"},
      {"client_compressed_unary", "RefusesUncompressed",
       InUnary([](SimpleRequest& r) { r.mutable_expect_compressed()->set_value(true); }),
       "UnaryCall, uncompressed request: expected the status OK, got 3 INVALID_ARGUMENT"},
      {"client_compressed_streaming", "DoesNotCheck",
       InInput([](StreamingInputCallRequest& r) { r.clear_expect_compressed(); }),
       "uncompressed request that says it is compressed: expected the status INVALID_ARGUMENT, got "
       "OK"},
      {"client_compressed_streaming", "RefusesUncompressed",
       InInput(
           [](StreamingInputCallRequest& r) { r.mutable_expect_compressed()->set_value(true); }),
       "a compressed and an uncompressed request: expected the status OK, got 3 INVALID_ARGUMENT"},
      {"client_compressed_streaming", "WrongSum", InInput(LoseAByte),
       "StreamingInputCall: expected the sum 73086, got 73084"},
      {"server_compressed_unary", "DoesNotCompress",
       InUnary([](SimpleRequest& r) { r.clear_response_compressed(); }),
       "UnaryCall, compressed response: expected a compressed message, got an uncompressed one"},
      {"server_compressed_unary", "AlwaysCompresses",
       InUnary([](SimpleRequest& r) { r.mutable_response_compressed()->set_value(true); }),
       "UnaryCall, uncompressed response: expected an uncompressed message, got a compressed one"},
      {"server_compressed_streaming", "DoesNotCompress", InOutput(CompressNone),
       "StreamingOutputCall, response 0: expected a compressed message, got an uncompressed one"},
      {"server_compressed_streaming", "AlwaysCompresses", InOutput(CompressAll),
       "StreamingOutputCall, response 1: expected an uncompressed message, got a compressed one"},
      {"cancel_after_first_response", "DoesNotAnswer", InOutput(NoResponses),
       "FullDuplexCall, response 0: not possible, the RPC had ended with 4 DEADLINE_EXCEEDED"},
      {"status_code_and_message", "WrongCodeOfUnary", InUnary(FailIt<SimpleRequest>),
       "UnaryCall: expected the status 2 UNKNOWN \"test status message\", got 10 ABORTED \"test "
       "status message\""},
      {"status_code_and_message", "NoMessageOfUnary",
       InUnary([](SimpleRequest& r) { r.mutable_response_status()->clear_message(); }),
       "UnaryCall: expected the status 2 UNKNOWN \"test status message\", got 2 UNKNOWN \"\""},
      {"status_code_and_message", "WrongCodeOfStream", InOutput(FailIt<StreamingOutputCallRequest>),
       "FullDuplexCall: expected the status 2 UNKNOWN \"test status message\", got 10 ABORTED"},
      {"status_code_and_message", "AnswersInStead", InOutput([](StreamingOutputCallRequest& r) {
         r.clear_response_status();
         OneResponseMore(r);
       }),
       "FullDuplexCall: expected no more responses, got one of 7 bytes"},
      {"special_status_message", "CannotSayIt", InUnary(SetMessage), "and non-BMP ?\\t\\n\""},
      {"custom_metadata", "NoInitial", NoInitialMetadata(),
       "UnaryCall: expected the initial metadata x-grpc-test-echo-initial = "
       "\"test_initial_metadata_value\", got none"},
      {"custom_metadata", "NoTrailing", NoTrailingMetadata(),
       "UnaryCall: expected the trailing metadata x-grpc-test-echo-trailing-bin = "
       "\"\\xab\\xab\\xab\", got none"},
      {"custom_metadata", "WrongSizeOfStream", InOutput(OneByteMoreEach),
       "FullDuplexCall, response 0: expected a payload of 314159 bytes, got 314160"},
      {"unimplemented_method", "HasIt", UnimplementedCallEnds(grpc::Status::OK),
       "TestService.UnimplementedCall: expected the status UNIMPLEMENTED, got OK"},
      {"unimplemented_method", "WrongCode",
       UnimplementedCallEnds(grpc::Status(grpc::StatusCode::NOT_FOUND, "what?")),
       "TestService.UnimplementedCall: expected the status UNIMPLEMENTED, got 5 NOT_FOUND "
       "\"what?\""},
      {"rpc_soak", "FailsOnce", InUnary(From<SimpleRequest>(5, FailIt<SimpleRequest>)),
       "RPC 6 of 20: UnaryCall: expected the status OK, got 10 ABORTED"},
      {"rpc_soak", "WrongSizeOnce", InUnary(From<SimpleRequest>(19, OneByteMore)),
       "RPC 20 of 20: UnaryCall: expected a payload of 314159 bytes, got 314160"},
      {"channel_soak", "FailsOnce", InUnary(From<SimpleRequest>(1, FailIt<SimpleRequest>)),
       "channel 2 of 2: UnaryCall: expected the status OK, got 10 ABORTED"},
      {"long_lived", "EndsTheStream",
       InOutput(From<StreamingOutputCallRequest>(1, FailIt<StreamingOutputCallRequest>)),
       "FullDuplexCall, response 1: not possible, the RPC had ended with 10 ABORTED"},
      {"long_lived", "WrongSize", InOutput(OneByteMoreEach),
       "FullDuplexCall, response 0: expected a payload of 100 bytes, got 101"},
      {"long_lived", "FailsBesideTheStream",
       InUnary(From<SimpleRequest>(30, FailIt<SimpleRequest>)),
       "UnaryCall: expected the status OK, got 10 ABORTED"},
      {"slow_consumer", "LosesOne", InOutput(WithoutMiddle),
       "StreamingOutputCall, response 32: expected a payload of 262176 bytes, got 262177"},
      {"slow_consumer", "SwapsTwo", InOutput(SwapTwo),
       "StreamingOutputCall, response 1: expected a payload of 262145 bytes, got 262146"},
  };
}

// The deadline is short where the server never answers, so that this is seen soon.
CaseOptions ShortOptions(const Wrong& wrong) {
  CaseOptions options;
  options.soak_rpcs = 20;
  options.long_lived_for = std::chrono::milliseconds(50);
  if (std::string(wrong.how) == "DoesNotAnswer") {
    options.rpc_deadline = std::chrono::milliseconds(300);
  }
  return options;
}

absl::Status RunAgainst(const std::string& case_name, Api api, const TestServerOptions& options,
                        const CaseOptions& case_options = {}) {
  const auto server = TestServer::Start(options);
  if (!server.ok()) return server.status();
  const auto contender =
      Contender::Create({"round_robin", absl::StrCat("ipv4:", (*server)->address())});
  if (!contender.ok()) return contender.status();
  return RunCase(*FindCase(case_name), api, **contender, case_options).status;
}

class WrongServerTest : public testing::TestWithParam<std::tuple<Api, size_t>> {};

TEST_P(WrongServerTest, FailsItsCase) {
  const auto& [api, index] = GetParam();
  const Wrong wrong = Servers()[index];  // anew: its faults count requests
  TestServerOptions options;
  options.faults = wrong.faults;
  const absl::Status status = RunAgainst(wrong.case_name, api, options, ShortOptions(wrong));
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr(wrong.text));
}

std::string NameOfFault(const testing::TestParamInfo<WrongServerTest::ParamType>& info) {
  const auto& [api, index] = info.param;
  const Wrong wrong = Servers()[index];
  return absl::StrCat(NameOf(api), "_", wrong.case_name, "_", wrong.how);
}

INSTANTIATE_TEST_SUITE_P(All, WrongServerTest,
                         testing::Combine(testing::ValuesIn(kApis),
                                          testing::Range<size_t>(0, Servers().size())),
                         NameOfFault);

class ImplementedService final : public grpc::testing::UnimplementedService::Service {
  grpc::Status UnimplementedCall(grpc::ServerContext*, const grpc::testing::Empty*,
                                 grpc::testing::Empty*) override {
    return grpc::Status::OK;
  }
};

class WrongServiceTest : public testing::TestWithParam<Api> {};

TEST_P(WrongServiceTest, FailsUnimplementedService) {
  ImplementedService service;
  TestServerOptions options;
  options.other_services = {&service};
  EXPECT_EQ(RunAgainst("unimplemented_service", GetParam(), options).message(),
            "UnimplementedService.UnimplementedCall: expected the status UNIMPLEMENTED, got OK");
}

INSTANTIATE_TEST_SUITE_P(All, WrongServiceTest, testing::ValuesIn(kApis),
                         [](const testing::TestParamInfo<Api>& info) {
                           return NameOf(info.param);
                         });

}  // namespace
}  // namespace predial
