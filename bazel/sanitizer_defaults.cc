// What the sanitizers have to be told in every test. Linked into all of them (see cc_test.bzl), and
// without effect in any other configuration.
//
// ThreadSanitizer. The installed libgrpc, libabsl and libprotobuf are not instrumented:
// ThreadSanitizer sees neither their atomics nor, so, the hand-offs between threads that go through
// them. Ignoring what happens inside them, and the inline halves of grpc:: that are compiled here,
// leaves our own code checked. gRPC's timer threads end without being joined when nothing is left
// to join them: its own affair. Races inside gRPC's callback threads stay hidden: race-test behind
// a gRPC-free seam. A test may fork, and make threads in the child.
//
// LeakSanitizer. OpenSSL keeps a random generator for each thread until the thread ends, and those
// that live as long as the process do not. c-ares 1.18 leaks a name for each lookup of "localhost".
// Neither is called but by gRPC. Their frames cannot be unwound, so all of what they allocate is
// left out.

// What the runtime looks for, by these names; it gives no header for them.
extern "C" {
const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1:die_after_fork=0"; }
const char* __tsan_default_suppressions() {
  return "race:^grpc::\n"
         "race:^grpc_event_engine::\n"
         "race:^std::_Function_handler<void (), grpc::\n"
         "thread:^grpc_core::Thread::Thread\n";
}
const char* __lsan_default_suppressions() {
  return "leak:^CRYPTO_zalloc\n"
         "leak:libcares.so\n";
}
}
