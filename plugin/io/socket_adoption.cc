#include "plugin/io/socket_adoption.h"

#include <fcntl.h>
#include <grpc/grpc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "plugin/io/adoption_self_test.h"
#include "plugin/io/fork_guard.h"
#include "plugin/io/grpc_socket_mutator.h"
#include "plugin/io/per_process.h"

namespace predial {

namespace {

std::atomic<bool> fail_self_test{false};

// In PerProcess, whose value is made outside of any lock: the test calls gRPC.
struct SelfTestResult {
  absl::Status status = RunAdoptionSelfTest();
};

PerProcess<SelfTestResult> self_test;

int SocketOption(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  if (getsockopt(fd, SOL_SOCKET, name, &value, &size) != 0) return -1;
  return value;
}

// All that can be told without connect().
absl::Status LooksAdoptable(int fd) {
  const int protocol = SocketOption(fd, SO_PROTOCOL);
  if (SocketOption(fd, SO_TYPE) != SOCK_STREAM ||
      (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)) {
    return absl::FailedPreconditionError("not a TCP socket");
  }
  tcp_info info = {};
  socklen_t size = sizeof(info);
  // A peer that has closed leaves CLOSE_WAIT or, after a RST, CLOSE.
  if (getsockopt(fd, SOL_TCP, TCP_INFO, &info, &size) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("TCP_INFO: ", strerror(errno)));
  }
  if (info.tcpi_state != TCP_ESTABLISHED) {
    return absl::FailedPreconditionError("no longer connected, or not yet");
  }
  return absl::OkStatus();
}

bool HasSocketMutator(const grpc::ChannelArguments& args) {
  const grpc_channel_args all = args.c_channel_args();
  for (size_t i = 0; i < all.num_args; ++i) {
    if (strcmp(all.args[i].key, GRPC_ARG_SOCKET_MUTATOR) == 0) return true;
  }
  return false;
}

}  // namespace

// The one socket on offer, and the way to it that gRPC has.
struct SocketAdoption::Slot {
  explicit Slot(std::shared_ptr<AdoptionCounters> counters) : counters(std::move(counters)) {}
  ~Slot() { Put(UniqueFd()); }

  void Put(UniqueFd socket) { UniqueFd before(fd.exchange(socket.Release())); }
  UniqueFd Take() { return UniqueFd(fd.exchange(-1)); }

  // Puts the offered socket in the place of `grpc_fd`, if there is a good one.
  bool Replace(int grpc_fd) {
    const UniqueFd offered = Take();
    if (!offered.valid() || !LooksAdoptable(offered.get()).ok()) return false;
    // Both descriptors share this flag, but not the close-on-exec one.
    const int flags = fcntl(offered.get(), F_GETFL);
    if (flags < 0 || fcntl(offered.get(), F_SETFL, flags | O_NONBLOCK) != 0) return false;
    // When it fails, gRPC's socket is still what it was.
    return dup3(offered.get(), grpc_fd, O_CLOEXEC) >= 0;
  }

  const std::shared_ptr<AdoptionCounters> counters;
  std::atomic<int> fd{-1};
};

// What gRPC sees of a Slot. gRPC counts its references and destroys it.
struct SocketAdoption::Mutator {
  static bool Mutate(const GrpcMutateSocketInfo* info, grpc_socket_mutator* mutator) {
    PassMutator();
    if (info->usage != GrpcFdUsage::kClientConnection) return true;
    Slot& slot = *reinterpret_cast<Mutator*>(mutator)->slot;
    auto& counter = slot.Replace(info->fd) ? slot.counters->adopted : slot.counters->dialed;
    counter.fetch_add(1, std::memory_order_relaxed);
    PassMutator();
    return true;
  }
  static bool MutateOld(int fd, grpc_socket_mutator* mutator) {
    const GrpcMutateSocketInfo info = {fd, GrpcFdUsage::kClientConnection};
    return Mutate(&info, mutator);
  }
  // Channels with different mutators never share a connection.
  static int Compare(grpc_socket_mutator* a, grpc_socket_mutator* b) {
    return std::less<>()(a, b) ? -1 : (a == b ? 0 : 1);
  }
  static void Destroy(grpc_socket_mutator* mutator) {
    PassMutator();
    delete reinterpret_cast<Mutator*>(mutator);
  }

  explicit Mutator(std::shared_ptr<Slot> slot) : slot(std::move(slot)) {
    static constexpr GrpcSocketMutatorVtable kVtable = {MutateOld, Compare, Destroy, Mutate};
    base.vtable = &kVtable;
    gpr_ref_init(&base.refcount, 1);
    PassMutator();
  }

  GrpcSocketMutator base;  // first: gRPC's pointer is to it
  const std::shared_ptr<Slot> slot;
};

absl::Status SocketAdoption::Available() {
  if (fail_self_test.load()) return absl::UnavailableError("made to fail by a test");
  if (ForkedWhileGrpcWasInUse()) {
    return absl::UnavailableError("forked from a process that was using gRPC");
  }
  return self_test.Get().status;
}

void SocketAdoption::FailSelfTestForTesting(bool fail) { fail_self_test.store(fail); }

absl::Status SocketAdoption::TryLike(UniqueFd socket) {
  if (absl::Status status = LooksAdoptable(socket.get()); !status.ok()) return status;
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  auto* const address = reinterpret_cast<sockaddr*>(&peer);
  if (getpeername(socket.get(), address, &size) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("getpeername: ", strerror(errno)));
  }
  // Only asks, as the socket is connected. But not if it blocks.
  const int flags = fcntl(socket.get(), F_GETFL);
  if (flags < 0 || fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("fcntl: ", strerror(errno)));
  }
  if (connect(socket.get(), address, size) == 0) return absl::OkStatus();
  if (errno == EISCONN) {
    return absl::FailedPreconditionError(
        "connect() blocked, or was called again after it was done: gRPC's would fail");
  }
  return absl::FailedPreconditionError(absl::StrCat("connect: ", strerror(errno)));
}

SocketAdoption::SocketAdoption(std::shared_ptr<AdoptionCounters> counters)
    : slot_(std::make_shared<Slot>(std::move(counters))) {}

SocketAdoption::~SocketAdoption() = default;

bool SocketAdoption::AddTo(grpc::ChannelArguments& args) {
  if (HasSocketMutator(args) || !Available().ok()) return false;
  args.SetSocketMutator(reinterpret_cast<grpc_socket_mutator*>(new Mutator(slot_)));
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return true;
}

void SocketAdoption::Offer(UniqueFd socket) { slot_->Put(std::move(socket)); }

UniqueFd SocketAdoption::Withdraw() { return slot_->Take(); }

}  // namespace predial
