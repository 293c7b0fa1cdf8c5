// Sends --rpcs synchronous unary RPCs, one after the other, from one thread through one channel,
// and checks each answer. What benchmarks/instructions.sh counts the instructions of. Exit code 0:
// every RPC was answered.
#include <grpcpp/client_context.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "benchmarks/compared_channel.h"
#include "proto/echo.grpc.pb.h"

ABSL_FLAG(std::string, address, "", "where an echo server listens, e.g. 127.0.0.1:50051");
ABSL_FLAG(std::string, channel, "pooled_metrics", predial::kComparedKinds);
ABSL_FLAG(int64_t, rpcs, 2000, "RPCs to send");

namespace predial {
namespace {

absl::Status Run() {
  const std::string kind = absl::GetFlag(FLAGS_channel);
  const auto channel = CreateComparedChannel(kind, absl::GetFlag(FLAGS_address));
  if (!channel.ok()) return channel.status();
  const std::unique_ptr<echo::v1::Echo::Stub> stub = echo::v1::Echo::NewStub(*channel);
  const int64_t rpcs = absl::GetFlag(FLAGS_rpcs);
  for (int64_t i = 0; i < rpcs; ++i) {
    grpc::ClientContext context;
    echo::v1::EchoRequest request;
    echo::v1::EchoResponse response;
    request.set_message("hello world");
    const grpc::Status status = stub->Unary(&context, request, &response);
    if (!status.ok() || response.message() != "hello world") {
      return absl::InternalError(absl::StrCat("RPC ", i, " of ", rpcs, ": code ",
                                              status.error_code(), ": ", status.error_message(),
                                              "; answer '", response.message(), "'"));
    }
  }
  printf("%s: %" PRId64 " RPCs\n", kind.c_str(), rpcs);
  return absl::OkStatus();
}

}  // namespace
}  // namespace predial

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("sends unary RPCs one after the other and checks the answers");
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    fprintf(stderr, "rpc_loop: unexpected argument: %s; --help lists the flags\n", rest[1]);
    return 1;
  }
  const absl::Status status = predial::Run();
  if (!status.ok()) {
    fprintf(stderr, "rpc_loop: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
