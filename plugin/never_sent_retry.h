// NeverSentRetry: sends a unary RPC again that its server never saw, over the pool's ordinary
// channel. What an ordinary channel does inside, for a channel over a pre-dialed socket, which does
// not.
//
//   member: "GOAWAY received" --> kConfirm: does the connection take no more? --no--> not resent
//                                     | yes
//                                 kResend --> the ordinary channel's answer
//
// At most once: gRPC tells of such RPCs by a text, which a server may send, too (a gateway that
// passes on what another server told it). So the connection is asked, by a health check, which has
// to end in the same way, before it gets anywhere; a connection that is found so is not asked
// again.
//
// Threads:   Create(), Start() and Cancel() on any thread; `done` runs on the poller's.
// Ownership: shared by the RPC's interceptor, and by itself while gRPC works on it.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <atomic>
#include <memory>
#include <optional>

#include "absl/functional/any_invocable.h"
#include "plugin/io/grpc_poller.h"
#include "plugin/member_table.h"

namespace predial {

class NeverSentRetry final : public GrpcPoller::Tag {
 public:
  struct Rpc {
    grpc::ClientContext* context;  // the caller's; outlives the retry
    const char* method;            // "/package.Service/Method", as long as the context
    grpc::ByteBuffer request;
  };
  // `resent`: status(), response() and context() are the server's. If not, the RPC may have been
  // seen, or was cancelled. May let go of the retry, and of the context.
  using Done = absl::AnyInvocable<void(bool resent)>;

  // `member` is the lease of the failed RPC; it is back once the connection has been asked.
  // `poller` and `table` outlive the retry.
  static std::shared_ptr<NeverSentRetry> Create(GrpcPoller& poller, MemberTable& table,
                                                Lease member, Rpc rpc, Done done);
  // Once. `done` may be called before it returns.
  void Start();

  // The caller's context was cancelled.
  void Cancel();
  bool cancelled() const { return cancelled_.load(); }

  // --- After `done(true)` has been called.
  const grpc::Status& status() const { return status_; }
  grpc::ByteBuffer& response() { return response_; }
  grpc::ClientContext& context() { return context_; }

 private:
  // How long the connection may take to show that it is gone. It needs no answer from the network.
  static constexpr Duration kConfirmTimeout = std::chrono::seconds(1);

  NeverSentRetry(GrpcPoller& poller, MemberTable& table, Lease member, Rpc rpc, Done done);

  void Confirm();
  void Resend();
  void OnCompleted(bool ok) override;
  void Finish(bool resent);

  grpc::CompletionQueue* const queue_;
  MemberTable& table_;
  Rpc rpc_;

  // Of the thread of Start() and then the poller's.
  Done done_;
  std::optional<GrpcPoller::Urgent> urgent_;
  Lease member_;  // until it is confirmed
  Lease anchor_;  // from then on
  using Reader = grpc::GenericClientAsyncResponseReader;
  std::unique_ptr<Reader> confirm_reader_;
  std::unique_ptr<Reader> reader_;
  grpc::Status status_;
  grpc::ByteBuffer response_;
  std::shared_ptr<NeverSentRetry> self_;

  std::atomic<bool> cancelled_{false};
  grpc::ClientContext confirm_context_;  // contexts are cancelled from any thread
  grpc::ClientContext context_;
};

}  // namespace predial
