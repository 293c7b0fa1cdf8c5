#include "plugin/api_test_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/server_interceptor.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "examples/echo/echo_service.h"
#include "plugin/mutex.h"

namespace predial {
namespace {

using echo::v1::EchoRequest;
using echo::v1::EchoResponse;

constexpr std::chrono::seconds kPatience{30};

bool IsOfEchoService(const char* method) {
  return absl::StartsWith(method, absl::StrCat("/", echo::v1::Echo::service_full_name(), "/"));
}

std::string ToString(grpc::string_ref text) { return {text.data(), text.size()}; }

}  // namespace

MetadataMap CopyMetadata(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  MetadataMap copy;
  for (const auto& [key, value] : metadata) copy.emplace(ToString(key), ToString(value));
  return copy;
}

std::string OnlyValue(const MetadataMap& metadata, const std::string& key) {
  switch (metadata.count(key)) {
    case 0:
      return "(none)";
    case 1:
      return metadata.find(key)->second;
    default:
      return "(several)";
  }
}

class ApiServer::State {
 public:
  void Add(SeenRpc rpc) {
    MutexLock lock(mutex_);
    seen_.push_back(std::move(rpc));
    changed_.notify_all();
  }
  void AddRunning(int by) {
    MutexLock lock(mutex_);
    running_ += by;
    changed_.notify_all();
  }
  std::vector<SeenRpc> seen() const {
    MutexLock lock(mutex_);
    return seen_;
  }
  bool WaitForRpcs(size_t count) const {
    return Wait([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return seen_.size() >= count; });
  }
  bool WaitForNone() const {
    return Wait([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return running_ == 0; });
  }

 private:
  bool Wait(const std::function<bool()>& condition) const {
    std::unique_lock<Mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience, condition);
  }

  mutable Mutex mutex_;
  mutable std::condition_variable_any changed_;
  std::vector<SeenRpc> seen_ ABSL_GUARDED_BY(mutex_);
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Looks at the context, then leaves the RPC to EchoService.
class ApiServer::Service final : public echo::v1::Echo::CallbackService {
 public:
  explicit Service(State& state) : state_(state) {}

  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const EchoRequest* request,
                                  EchoResponse* response) override {
    Look(context);
    return echo_.Unary(context, request, response);
  }
  grpc::ServerReadReactor<EchoRequest>* ClientStream(grpc::CallbackServerContext* context,
                                                     EchoResponse* response) override {
    Look(context);
    return echo_.ClientStream(context, response);
  }
  grpc::ServerWriteReactor<EchoResponse>* ServerStream(grpc::CallbackServerContext* context,
                                                       const EchoRequest* request) override {
    Look(context);
    return echo_.ServerStream(context, request);
  }
  grpc::ServerBidiReactor<EchoRequest, EchoResponse>* BidiStream(
      grpc::CallbackServerContext* context) override {
    Look(context);
    return echo_.BidiStream(context);
  }

 private:
  void Look(grpc::CallbackServerContext* context) {
    SeenRpc rpc;
    rpc.authority = ToString(context->ExperimentalGetAuthority());
    rpc.peer = context->peer();
    rpc.metadata = CopyMetadata(context->client_metadata());
    rpc.deadline = context->deadline();
    for (const auto& [key, value] : rpc.metadata) {
      if (absl::StartsWith(key, "echo-initial")) context->AddInitialMetadata(key, value);
      if (absl::StartsWith(key, "echo-trailing")) context->AddTrailingMetadata(key, value);
    }
    state_.Add(std::move(rpc));
  }

  State& state_;
  EchoService echo_;
};

namespace {

// Lives as long as the server's context of its RPC.
class Presence final : public grpc::experimental::Interceptor {
 public:
  explicit Presence(std::function<void(int)> count) : count_(std::move(count)) { count_(1); }
  ~Presence() override { count_(-1); }
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    methods->Proceed();
  }

 private:
  const std::function<void(int)> count_;
};

class PresenceFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit PresenceFactory(std::function<void(int)> count) : count_(std::move(count)) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    return IsOfEchoService(info->method()) ? new Presence(count_) : nullptr;
  }

 private:
  const std::function<void(int)> count_;
};

}  // namespace

ApiServer::ApiServer(const ApiServerOptions& options)
    : state_(std::make_shared<State>()), service_(std::make_unique<Service>(*state_)) {
  grpc::EnableDefaultHealthCheckService(true);
  const bool is_unix = absl::StartsWith(options.address, "unix");
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(
      options.address,
      options.credentials != nullptr ? options.credentials : grpc::InsecureServerCredentials(),
      is_unix ? nullptr : &port);
  builder.RegisterService(service_.get());
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  for (grpc_compression_algorithm algorithm : options.refused_compression) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> factories;
  factories.push_back(
      std::make_unique<PresenceFactory>([state = state_](int by) { state->AddRunning(by); }));
  builder.experimental().SetInterceptorCreators(std::move(factories));
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    std::fprintf(stderr, "ApiServer: cannot listen on %s\n", options.address.c_str());
    std::abort();
  }
  address_ = is_unix
                 ? options.address
                 : absl::StrCat(options.address.substr(0, options.address.rfind(':') + 1), port);
}

ApiServer::~ApiServer() { server_->Shutdown(std::chrono::system_clock::now()); }

std::string ApiServer::target() const {
  return absl::StartsWith(address_, "unix") ? address_ : absl::StrCat("ipv4:", address_);
}

std::vector<SeenRpc> ApiServer::seen() const { return state_->seen(); }
bool ApiServer::WaitForRpcs(size_t count) const { return state_->WaitForRpcs(count); }
bool ApiServer::WaitForNone() const { return state_->WaitForNone(); }

}  // namespace predial
