// ExitGuard: the process's exit handlers free what gRPC needs. Predial's threads are out of gRPC by
// then, and stay out.
//
// OpenSSL 3 is why: its handler frees its tables, and a thread that is in a TLS handshake then
// crashes. 16 of 120 programs did that made one RPC over a pool and ended while it was connecting.
// gRPC has threads of its own that outlive its last channel, which nobody can wait for
// (https://github.com/grpc/grpc/issues/38539). So OpenSSL is told to have no such handler, as
// later gRPCs do. That is too late if the program has used OpenSSL before; then Predial's threads
// are safe, and gRPC's are not.
//
// Threads: thread-safe, lock-free.
#pragma once

namespace predial {

// From now on exit() first waits, one second at most, until no thread is in an ExitTurn. For pools
// whose connections are encrypted; once per process is enough, and further calls do nothing.
void ArmExitGuard();

// A thread of ours about to do what exit handlers spoil. May be nested.
class ExitTurn {
 public:
  ExitTurn();
  ~ExitTurn();
  ExitTurn(const ExitTurn&) = delete;

  // False once exit handlers run: do nothing more, the process is about to end.
  bool allowed() const { return allowed_; }

 private:
  bool allowed_;
};

}  // namespace predial
