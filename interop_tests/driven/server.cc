// A C++ server that a test drives: EchoService, Unary only, and a health service. Prints `listening
// on ADDRESS,…`, then answers commands (commands.h):
//
//   set SERVICE STATUS       what the health service says of SERVICE ("-" is the server as a whole)
//   check|watch MANNER       for Check or Watch from now on, with --health=scripted:
//                            answer | hang | end CODE | answer-end CODE
//   seen                     what it has seen: report.proto
//
// Every answer says in its initial metadata who gave it (`server-name`), and what :authority it saw
// (`seen-authority`).
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <signal.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "examples/echo/program.h"
#include "interop_tests/driven/commands.h"
#include "interop_tests/driven/report.pb.h"
#include "interop_tests/driven/scripted_health.h"
#include "proto/echo.grpc.pb.h"
#include "proto/health.pb.h"

ABSL_FLAG(std::vector<std::string>, addresses, {"127.0.0.1:0"},
          "where to listen: 127.0.0.1:0, [::1]:50051, unix:/path, unix-abstract:name");
ABSL_FLAG(std::string, name, "server", "what it calls itself in `server-name`");
ABSL_FLAG(std::string, health, "default",
          "its health service: default (gRPC's own), scripted, or none");

namespace predial::driven {
namespace {

using health::v1::HealthCheckResponse;
using std::chrono::steady_clock;
using Words = std::vector<std::string>;
using Reply = absl::StatusOr<std::unique_ptr<google::protobuf::Message>>;

class EchoService final : public echo::v1::Echo::Service {
 public:
  grpc::Status Unary(grpc::ServerContext* context, const echo::v1::EchoRequest* request,
                     echo::v1::EchoResponse* response) override {
    ++rpcs_;
    const grpc::string_ref authority = context->ExperimentalGetAuthority();
    context->AddInitialMetadata("server-name", name_);
    context->AddInitialMetadata("seen-authority", std::string(authority.data(), authority.size()));
    response->set_message(request->message());
    return grpc::Status::OK;
  }
  int rpcs() const { return rpcs_.load(); }

 private:
  const std::string name_ = absl::GetFlag(FLAGS_name);
  std::atomic<int> rpcs_{0};
};

class DrivenServer {
 public:
  absl::Status Start() {
    const std::string health = absl::GetFlag(FLAGS_health);
    if (health != "default" && health != "scripted" && health != "none") {
      return absl::InvalidArgumentError(absl::StrCat("--health=", health));
    }
    grpc::EnableDefaultHealthCheckService(health == "default");
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    std::vector<std::string> addresses = absl::GetFlag(FLAGS_addresses);
    std::vector<int> ports(addresses.size());
    for (size_t i = 0; i < addresses.size(); ++i) {
      builder.AddListeningPort(addresses[i], grpc::InsecureServerCredentials(), &ports[i]);
    }
    builder.RegisterService(&echo_);
    if (health == "scripted") {
      scripted_ = std::make_unique<ScriptedHealth>();
      scripted_->Set("", HealthCheckResponse::SERVING);
      builder.RegisterCallbackGenericService(scripted_.get());
    }
    server_ = builder.BuildAndStart();
    for (size_t i = 0; i < addresses.size(); ++i) {
      if (server_ == nullptr || ports[i] == 0) {
        return absl::UnavailableError(absl::StrCat("cannot listen on ", addresses[i]));
      }
      if (absl::EndsWith(addresses[i], ":0")) {
        addresses[i] = absl::StrCat(addresses[i].substr(0, addresses[i].size() - 1), ports[i]);
      }
    }
    printf("listening on %s\n", absl::StrJoin(addresses, ",").c_str());
    return fflush(stdout) == 0 ? absl::OkStatus() : absl::ErrnoToStatus(errno, "stdout");
  }

  // Cuts off what is in flight.
  void Shutdown() { server_->Shutdown(std::chrono::system_clock::now()); }

  Reply Obey(const Words& words) {
    if (words.size() == 3 && words[0] == "set") return Set(words[1], words[2]);
    if (words[0] == "seen") return See();
    if (words.size() >= 2 && (words[0] == "check" || words[0] == "watch")) return Behave(words);
    return absl::InvalidArgumentError("unknown command");
  }

 private:
  Reply Set(const std::string& word, const std::string& status_name) {
    const std::string service = word == "-" ? "" : word;
    HealthCheckResponse::ServingStatus status;
    if (!HealthCheckResponse::ServingStatus_Parse(status_name, &status)) {
      return absl::InvalidArgumentError("no such status");
    }
    if (scripted_ != nullptr) {
      scripted_->Set(service, status);
    } else if (server_->GetHealthCheckService() != nullptr &&
               (status == HealthCheckResponse::SERVING ||
                status == HealthCheckResponse::NOT_SERVING)) {
      server_->GetHealthCheckService()->SetServingStatus(service,
                                                         status == HealthCheckResponse::SERVING);
    } else {
      return absl::InvalidArgumentError("its health service cannot say that");
    }
    return std::make_unique<Seen>();
  }

  Reply Behave(const Words& words) {
    if (scripted_ == nullptr) return absl::InvalidArgumentError("its health service behaves");
    ScriptedHealth::Manner manner;
    int code = 0;
    if (words[1] == "hang") {
      manner.kind = ScriptedHealth::Manner::Kind::kHang;
    } else if (words.size() == 3 && absl::SimpleAtoi(words[2], &code) &&
               (words[1] == "end" || words[1] == "answer-end")) {
      manner.kind = words[1] == "end" ? ScriptedHealth::Manner::Kind::kEnd
                                      : ScriptedHealth::Manner::Kind::kAnswerEnd;
      if (code != 0) manner.end = {static_cast<grpc::StatusCode>(code), "as told"};
    } else if (words[1] != "answer") {
      return absl::InvalidArgumentError("unknown manner");
    }
    words[0] == "check" ? scripted_->SetCheckManner(manner) : scripted_->SetWatchManner(manner);
    return std::make_unique<Seen>();
  }

  Reply See() const {
    auto seen = std::make_unique<Seen>();
    seen->set_rpcs(echo_.rpcs());
    if (scripted_ == nullptr) return seen;
    const ScriptedHealth::Counts counts = scripted_->counts();
    seen->set_checks(counts.checks);
    seen->set_watches(counts.watches);
    seen->set_open_watches(counts.open_watches);
    for (const steady_clock::time_point began : counts.watches_began) {
      seen->add_watch_began_ms(
          std::chrono::duration_cast<std::chrono::milliseconds>(began - started_).count());
    }
    return seen;
  }

  const steady_clock::time_point started_ = steady_clock::now();
  EchoService echo_;
  std::unique_ptr<ScriptedHealth> scripted_;  // null unless --health=scripted
  std::unique_ptr<grpc::Server> server_;      // destroyed before its services
};

absl::Status Run() {
  DrivenServer server;
  absl::Status status = server.Start();
  if (!status.ok()) return status;
  status = RunCommands([&](const Words& words) { return server.Obey(words); });
  server.Shutdown();
  return status;
}

}  // namespace
}  // namespace predial::driven

int main(int argc, char** argv) {
  return predial::RunProgram(argc, argv, "an echo server that obeys the lines on its stdin", {},
                             [](const sigset_t&) { return predial::driven::Run(); });
}
