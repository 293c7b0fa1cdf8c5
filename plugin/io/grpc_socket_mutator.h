// What gRPC calls a socket mutator, as far as packaged gRPC does not install it: a mirror of two
// structs of its src/core/lib/iomgr/socket_mutator.h. The only place where Predial says anything
// about gRPC's insides; SocketAdoption::Available() compares it with the gRPC that is linked before
// anything relies on it.
//
// ChannelArguments::SetSocketMutator() is public, and takes an object that starts with the second.
// The names here are Predial's own, so that gRPC's header may stand in the same program.
#pragma once

#include <grpc/support/sync.h>

#include <atomic>

struct grpc_socket_mutator;

namespace predial {

// The versions of grpc::Version() whose structs are these.
inline constexpr const char* kMirroredGrpcVersions[] = {"1.51.1"};

// What the socket is for.
enum class GrpcFdUsage : int { kClientConnection = 0, kServerListener = 1, kServerConnection = 2 };

struct GrpcMutateSocketInfo {
  int fd;
  GrpcFdUsage usage;
};

struct GrpcSocketMutatorVtable {
  bool (*mutate_fd)(int fd, grpc_socket_mutator* mutator);  // not called if there is mutate_fd_2
  int (*compare)(grpc_socket_mutator* a, grpc_socket_mutator* b);
  void (*destroy)(grpc_socket_mutator* mutator);
  // After gRPC has set its options on the socket, before it calls connect(). False fails that
  // connection.
  bool (*mutate_fd_2)(const GrpcMutateSocketInfo* info, grpc_socket_mutator* mutator);
};

struct GrpcSocketMutator {
  const GrpcSocketMutatorVtable* vtable;
  gpr_refcount refcount;
};

// To be called before a mutator is handed to gRPC, and at the beginning and the end of each of its
// functions: gRPC passes it from thread to thread, and one that ThreadSanitizer does not see into
// does so unseen. This does it in sight.
inline void PassMutator() {
  static std::atomic<int> passed{0};
  passed.fetch_add(1, std::memory_order_acq_rel);
}

}  // namespace predial
