// How a cancelled RPC, and one at its deadline, ends is the client's business: a client that has it
// wrong fails these cases, whatever the server does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "interop_tests/cases/case.h"
#include "interop_tests/cases/test_client.h"

namespace predial {
namespace {

using grpc::testing::Empty;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;

// What its streams do.
struct Script {
  int responses = 0;  // each as long as the request asks for
  grpc::Status end;
};

class ScriptedInput final : public InputStream {
 public:
  explicit ScriptedInput(const Script& script) : script_(script) {}
  bool Write(const StreamingInputCallRequest&, const grpc::WriteOptions&) override { return true; }
  bool WritesDone() override { return true; }
  grpc::Status Finish() override { return script_.end; }

 private:
  const Script script_;
};

class ScriptedDuplex final : public DuplexStream {
 public:
  explicit ScriptedDuplex(const Script& script) : script_(script) {}
  bool Write(const StreamingOutputCallRequest& request) override {
    request_ = request;
    return true;
  }
  bool WritesDone() override { return true; }
  bool Read(StreamingOutputCallResponse* response) override {
    if (script_.responses-- <= 0) return false;
    response->mutable_payload()->mutable_body()->assign(request_.response_parameters(0).size(),
                                                        '\0');
    return true;
  }
  grpc::Status Finish() override { return script_.end; }

 private:
  Script script_;
  StreamingOutputCallRequest request_;
};

class ScriptedClient final : public TestClient {
 public:
  explicit ScriptedClient(const Script& script) : script_(script) {}
  grpc::Status EmptyCall(grpc::ClientContext*, const Empty&, Empty*) override {
    return script_.end;
  }
  grpc::Status UnaryCall(grpc::ClientContext*, const grpc::testing::SimpleRequest&,
                         grpc::testing::SimpleResponse*) override {
    return script_.end;
  }
  grpc::Status UnimplementedCall(grpc::ClientContext*, const Empty&, Empty*) override {
    return script_.end;
  }
  grpc::Status UnimplementedServiceCall(grpc::ClientContext*, const Empty&, Empty*) override {
    return script_.end;
  }
  std::unique_ptr<InputStream> StreamingInputCall(grpc::ClientContext*,
                                                  StreamingInputCallResponse*) override {
    return std::make_unique<ScriptedInput>(script_);
  }
  std::unique_ptr<OutputStream> StreamingOutputCall(grpc::ClientContext*,
                                                    const StreamingOutputCallRequest&) override {
    return nullptr;  // these cases do not call it
  }
  std::unique_ptr<DuplexStream> FullDuplexCall(grpc::ClientContext*) override {
    return std::make_unique<ScriptedDuplex>(script_);
  }
  std::unique_ptr<DuplexStream> HalfDuplexCall(grpc::ClientContext*) override {
    return std::make_unique<ScriptedDuplex>(script_);
  }

 private:
  const Script script_;
};

absl::Status RunScripted(const char* case_name, const Script& script) {
  ScriptedClient client(script);
  CaseRun run;
  run.client = &client;
  return FindCase(case_name)->run(run);
}

grpc::Status Cancelled() { return grpc::Status(grpc::StatusCode::CANCELLED, ""); }
grpc::Status TooLate() { return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, ""); }

TEST(WrongClientTest, CancelAfterBegin) {
  EXPECT_EQ(RunScripted("cancel_after_begin", {0, Cancelled()}), absl::OkStatus());
  EXPECT_EQ(RunScripted("cancel_after_begin", {0, grpc::Status::OK}).message(),
            "StreamingInputCall: expected the status CANCELLED, got OK");
  EXPECT_EQ(RunScripted("cancel_after_begin", {0, TooLate()}).message(),
            "StreamingInputCall: expected the status CANCELLED, got 4 DEADLINE_EXCEEDED \"\"");
}

TEST(WrongClientTest, CancelAfterFirstResponse) {
  EXPECT_EQ(RunScripted("cancel_after_first_response", {1, Cancelled()}), absl::OkStatus());
  EXPECT_EQ(RunScripted("cancel_after_first_response", {1, grpc::Status::OK}).message(),
            "FullDuplexCall: expected the status CANCELLED, got OK");
  EXPECT_EQ(RunScripted("cancel_after_first_response", {2, Cancelled()}).message(),
            "FullDuplexCall: expected no more responses, got one of 31415 bytes");
  EXPECT_EQ(RunScripted("cancel_after_first_response", {0, Cancelled()}).message(),
            "FullDuplexCall, response 0: not possible, the RPC had ended with 1 CANCELLED \"\"");
}

TEST(WrongClientTest, TimeoutOnSleepingServer) {
  EXPECT_EQ(RunScripted("timeout_on_sleeping_server", {0, TooLate()}), absl::OkStatus());
  EXPECT_EQ(RunScripted("timeout_on_sleeping_server", {0, Cancelled()}).message(),
            "FullDuplexCall with a deadline of 1 ms: expected the status DEADLINE_EXCEEDED, got 1 "
            "CANCELLED \"\"");
}

}  // namespace
}  // namespace predial
