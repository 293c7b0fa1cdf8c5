// Sends --rpcs unary RPCs, one after the other, through one channel, and checks each answer. What
// benchmarks/instructions.sh counts the instructions of. Exit code 0: every RPC was answered.
#include <grpcpp/client_context.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "benchmarks/compared_channel.h"
#include "examples/echo/tls.h"
#include "proto/echo.grpc.pb.h"

ABSL_FLAG(std::string, address, "", "where an echo server listens, e.g. 127.0.0.1:50051");
ABSL_FLAG(std::string, channel, "pooled_metrics", predial::kComparedKinds);
ABSL_FLAG(int64_t, rpcs, 2000, "RPCs to send");
ABSL_FLAG(bool, callback, false,
          "with a callback function, from which the next one is sent, instead of synchronously");

namespace predial {
namespace {

class RpcLoop {
 public:
  RpcLoop(const std::shared_ptr<grpc::ChannelInterface>& channel, int64_t rpcs)
      : stub_(echo::v1::Echo::NewStub(channel)), rpcs_(rpcs) {}

  absl::Status RunSync() {
    absl::Status status;
    while (status.ok() && sent_ < rpcs_) {
      Prepare();
      status = Check(stub_->Unary(&*context_, request_, &response_));
    }
    return status;
  }

  absl::Status RunWithCallbacks() {
    SendNext();
    return ended_.get_future().get();
  }

 private:
  void Prepare() {
    ++sent_;
    context_.emplace();
    request_.set_message("hello world");
    response_.Clear();
  }

  absl::Status Check(const grpc::Status& status) const {
    if (status.ok() && response_.message() == "hello world") return absl::OkStatus();
    return absl::InternalError(absl::StrCat("RPC ", sent_, " of ", rpcs_, ": code ",
                                            status.error_code(), ": ", status.error_message(),
                                            "; answer '", response_.message(), "'"));
  }

  void SendNext() {
    Prepare();
    stub_->async()->Unary(&*context_, &request_, &response_, [this](const grpc::Status& status) {
      const absl::Status checked = Check(status);
      if (checked.ok() && sent_ < rpcs_) return SendNext();
      ended_.set_value(checked);
    });
  }

  const std::unique_ptr<echo::v1::Echo::Stub> stub_;
  const int64_t rpcs_;
  int64_t sent_ = 0;
  std::optional<grpc::ClientContext> context_;
  echo::v1::EchoRequest request_;
  echo::v1::EchoResponse response_;
  std::promise<absl::Status> ended_;
};

absl::Status Run() {
  const std::string kind = absl::GetFlag(FLAGS_channel);
  const auto credentials = ClientCredentialsFromFlags();
  if (!credentials.ok()) return credentials.status();
  const auto channel = CreateComparedChannel(kind, absl::GetFlag(FLAGS_address), *credentials);
  if (!channel.ok()) return channel.status();
  const int64_t rpcs = absl::GetFlag(FLAGS_rpcs);
  if (rpcs <= 0) return absl::InvalidArgumentError("--rpcs must be positive");
  RpcLoop loop(*channel, rpcs);
  const absl::Status status =
      absl::GetFlag(FLAGS_callback) ? loop.RunWithCallbacks() : loop.RunSync();
  if (status.ok()) printf("%s: %" PRId64 " RPCs\n", kind.c_str(), rpcs);
  return status;
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
