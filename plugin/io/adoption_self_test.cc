#include "plugin/io/adoption_self_test.h"

#include <fcntl.h>
#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/channel_arguments.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "plugin/core/types.h"
#include "plugin/io/grpc_socket_mutator.h"
#include "plugin/io/unique_fd.h"

namespace predial {

namespace {

constexpr std::chrono::seconds kPatience{1};

// Records what gRPC does to it. Shared with the test, as gRPC may keep the mutator for longer.
struct Record {
  std::atomic<int> compared{0};
  std::atomic<int> destroyed{0};
  std::atomic<int> mutated{0};
  std::atomic<int> usage{-1};
  std::atomic<int> socket{-1};  // to be adopted; -1 once it was
};

struct Probe {
  static Probe* Of(grpc_socket_mutator* mutator) { return reinterpret_cast<Probe*>(mutator); }
  static bool MutateOld(int, grpc_socket_mutator*) { return true; }
  static bool Mutate(const GrpcMutateSocketInfo* info, grpc_socket_mutator* mutator) {
    PassMutator();
    Record& record = *Of(mutator)->record;
    ++record.mutated;
    record.usage = static_cast<int>(info->usage);
    const UniqueFd socket(record.socket.exchange(-1));
    const bool good = !socket.valid() || dup3(socket.get(), info->fd, O_CLOEXEC) >= 0;
    PassMutator();
    return good;
  }
  static int Compare(grpc_socket_mutator* a, grpc_socket_mutator* b) {
    ++Of(a)->record->compared;
    return std::less<>()(a, b) ? -1 : 1;
  }
  static void Destroy(grpc_socket_mutator* mutator) {
    PassMutator();
    ++Of(mutator)->record->destroyed;
    delete Of(mutator);
  }

  explicit Probe(std::shared_ptr<Record> record) : record(std::move(record)) {
    static constexpr GrpcSocketMutatorVtable kVtable = {MutateOld, Compare, Destroy, Mutate};
    base.vtable = &kVtable;
    gpr_ref_init(&base.refcount, 1);
    PassMutator();
  }
  grpc_socket_mutator* mutator() { return reinterpret_cast<grpc_socket_mutator*>(this); }

  GrpcSocketMutator base;
  const std::shared_ptr<Record> record;
};

absl::Status Differs(absl::string_view what) {
  return absl::UnavailableError(
      absl::StrCat("gRPC ", grpc::Version(), " does not adopt sockets: ", what));
}

absl::Status Failed(absl::string_view call) {
  return absl::UnavailableError(
      absl::StrCat("socket adoption cannot be tried: ", call, ": ", strerror(errno)));
}

// The argument that SetSocketMutator() made of `mutator`, or null.
const grpc_arg* FindArg(const grpc_channel_args& args, const grpc_socket_mutator* mutator) {
  for (size_t i = 0; i < args.num_args; ++i) {
    const grpc_arg& arg = args.args[i];
    if (strcmp(arg.key, GRPC_ARG_SOCKET_MUTATOR) != 0) continue;
    if (arg.type == GRPC_ARG_POINTER && arg.value.pointer.p == mutator) return &arg;
  }
  return nullptr;
}

bool Readable(int fd, Time deadline) {
  pollfd poller = {fd, POLLIN, 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() < 0) return false;
    const int ready = poll(&poller, 1, static_cast<int>(left.count()));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

// A loopback connection: the two ends, and gRPC's name for the listener.
struct Pair {
  UniqueFd ours;  // connected without blocking
  UniqueFd listener;
  UniqueFd theirs;
  std::string target;
};

absl::StatusOr<Pair> Connect(Time deadline) {
  Pair pair;
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  pair.listener.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!pair.listener.valid()) return Failed("socket");
  if (bind(pair.listener.get(), name, size) != 0) return Failed("bind");
  if (listen(pair.listener.get(), 4) != 0) return Failed("listen");
  if (getsockname(pair.listener.get(), name, &size) != 0) return Failed("getsockname");
  pair.target = absl::StrCat("ipv4:127.0.0.1:", ntohs(address.sin_port));

  pair.ours.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!pair.ours.valid()) return Failed("socket");
  if (connect(pair.ours.get(), name, size) == 0) {
    return Differs("this system's loopback connects at once, which tells nothing");
  }
  if (errno != EINPROGRESS) return Failed("connect");
  sockaddr_in own = {};
  size = sizeof(own);
  if (getsockname(pair.ours.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0) {
    return Failed("getsockname");
  }
  // Others on this machine may connect to the port.
  while (Readable(pair.listener.get(), deadline)) {
    sockaddr_in peer = {};
    size = sizeof(peer);
    UniqueFd accepted(accept4(pair.listener.get(), reinterpret_cast<sockaddr*>(&peer), &size,
                              SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!accepted.valid() || peer.sin_port != own.sin_port) continue;
    pair.theirs = std::move(accepted);
    return pair;
  }
  return Failed("accept");
}

// Reads from `fd` until it has what gRPC sends first.
absl::Status ExpectPreface(int fd, Time deadline) {
  constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  std::string seen;
  while (seen.size() < kPreface.size()) {
    if (!Readable(fd, deadline)) return Differs("nothing came through the socket in time");
    char buffer[64];
    const ssize_t got = recv(fd, buffer, kPreface.size() - seen.size(), MSG_DONTWAIT);
    if (got == 0) return Differs("it closed the socket");
    if (got < 0 && errno != EINTR && errno != EAGAIN) return Failed("recv");
    if (got > 0) seen.append(buffer, got);
  }
  if (seen != kPreface) return Differs("other bytes came through the socket than HTTP/2's");
  return absl::OkStatus();
}

absl::Status TryChannel() {
  const Time deadline = Clock::now() + kPatience;
  absl::StatusOr<Pair> pair = Connect(deadline);
  if (!pair.ok()) return pair.status();
  auto record = std::make_shared<Record>();
  record->socket = pair->ours.Release();
  grpc::ChannelArguments args;
  args.SetSocketMutator((new Probe(record))->mutator());
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto channel =
      grpc::CreateCustomChannel(pair->target, grpc::InsecureChannelCredentials(), args);
  channel->GetState(/*try_to_connect=*/true);
  absl::Status status = ExpectPreface(pair->theirs.get(), deadline);
  const UniqueFd left(record->socket.exchange(-1));
  if (record->mutated == 0) return Differs("it does not call the socket mutator");
  if (record->usage != static_cast<int>(GrpcFdUsage::kClientConnection)) {
    return Differs(absl::StrCat("it says usage ", record->usage.load(), " of a client's socket"));
  }
  return status;
}

}  // namespace

absl::Status CheckMutatorMirror(const char* grpc_version) {
  bool known = false;
  for (const char* version : kMirroredGrpcVersions) known |= strcmp(version, grpc_version) == 0;
  if (!known) return Differs(absl::StrCat("version ", grpc_version, " was not looked at"));

  auto record = std::make_shared<Record>();
  {
    Probe* const first = new Probe(record);
    Probe* const second = new Probe(record);
    grpc::ChannelArguments args;
    grpc::ChannelArguments other_args;
    args.SetSocketMutator(first->mutator());
    other_args.SetSocketMutator(second->mutator());
    const grpc_channel_args all = args.c_channel_args();
    const grpc_arg* const arg = FindArg(all, first->mutator());
    if (arg == nullptr) return Differs("it keeps the socket mutator elsewhere");
    const grpc_arg_pointer_vtable& calls = *arg->value.pointer.vtable;

    if (!gpr_ref_is_unique(&first->base.refcount)) return Differs("the reference count is off");
    void* const copy = calls.copy(first);
    if (copy != first) return Differs("it copies the socket mutator");
    if (gpr_ref_is_unique(&first->base.refcount)) return Differs("the reference count is off");
    calls.destroy(copy);
    if (!gpr_ref_is_unique(&first->base.refcount)) return Differs("the reference count is off");
    const int order = calls.cmp(first, second);
    if (record->compared > 1 || (order < 0) != std::less<>()(first, second)) {
      return Differs("it compares socket mutators in another way");
    }
    if (record->destroyed != 0) return Differs("it destroys the socket mutator early");
  }
  if (record->destroyed != 2) return Differs("it does not destroy the socket mutator");
  if (record->mutated != 0) return Differs("it calls the socket mutator without a socket");
  return absl::OkStatus();
}

absl::Status RunAdoptionSelfTest() {
  if (absl::Status status = CheckMutatorMirror(grpc::Version().c_str()); !status.ok()) {
    return status;
  }
  return TryChannel();
}

}  // namespace predial
