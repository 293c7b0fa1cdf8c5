// NamedServer: an echo server that says in every answer's initial metadata which one it is, as
// "x-backend", and whose answers can be held back or be made to take their time.
//
// Threads: thread-safe.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "plugin/mutex.h"
#include "proto/echo.grpc.pb.h"

namespace predial {

class NamedServer {
 public:
  // On a port of the kernel's choice on 127.0.0.1.
  explicit NamedServer(std::string name) : service_(std::move(name)) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~NamedServer() {
    Hold(false);
    server_->Shutdown();
  }

  const std::string& address() const { return address_; }
  // RPCs so far.
  int rpcs() const { return service_.rpcs(); }
  // While true, unary RPCs are not answered.
  void Hold(bool hold) { service_.Hold(hold); }
  // Unary RPCs that begin from now on take so long, as over a long way.
  void SetLatency(std::chrono::milliseconds latency) { service_.SetLatency(latency); }

 private:
  class Service final : public echo::v1::Echo::Service {
   public:
    explicit Service(std::string name) : name_(std::move(name)) {}

    grpc::Status Unary(grpc::ServerContext* context, const echo::v1::EchoRequest* request,
                       echo::v1::EchoResponse* response) override {
      context->AddInitialMetadata("x-backend", name_);
      response->set_message(request->message());
      std::unique_lock<Mutex> lock(mutex_);
      ++rpcs_;
      const auto held = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return hold_; };
      if (latency_.count() > 0) changed_.wait_for(lock, latency_, [] { return false; });
      changed_.wait(lock, [&] { return !held(); });
      return grpc::Status::OK;
    }
    // Its one answer comes with the status.
    grpc::Status ServerStream(grpc::ServerContext* context, const echo::v1::EchoRequest*,
                              grpc::ServerWriter<echo::v1::EchoResponse>* writer) override {
      context->AddInitialMetadata("x-backend", name_);
      writer->Write({});
      MutexLock lock(mutex_);
      ++rpcs_;
      return grpc::Status::OK;
    }

    int rpcs() const {
      MutexLock lock(mutex_);
      return rpcs_;
    }
    void Hold(bool hold) {
      MutexLock lock(mutex_);
      hold_ = hold;
      changed_.notify_all();
    }
    void SetLatency(std::chrono::milliseconds latency) {
      MutexLock lock(mutex_);
      latency_ = latency;
    }

   private:
    const std::string name_;
    mutable Mutex mutex_;
    std::condition_variable_any changed_;
    int rpcs_ ABSL_GUARDED_BY(mutex_) = 0;
    bool hold_ ABSL_GUARDED_BY(mutex_) = false;
    std::chrono::milliseconds latency_ ABSL_GUARDED_BY(mutex_){0};
  };

  Service service_;
  std::unique_ptr<grpc::Server> server_;  // destroyed before service_
  std::string address_;
};

}  // namespace predial
