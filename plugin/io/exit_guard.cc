#include "plugin/io/exit_guard.h"

#include <dlfcn.h>
#include <sched.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include "plugin/core/types.h"
#include "plugin/io/fork_guard.h"
#include "plugin/io/per_process.h"

namespace predial {
namespace {

// A forked child has none of the threads that the parent's count is of.
struct Turns {
  std::atomic<int> running{0};
  std::atomic<bool> exiting{false};
};

PerProcess<Turns> the_turns;
thread_local int own_turns = 0;
thread_local uint32_t own_forks = 0;  // whose turns these are

int& OwnTurns() {
  if (own_forks != ForkCount()) {
    own_forks = ForkCount();
    own_turns = 0;
  }
  return own_turns;
}

void BeforeExit() {
  Turns& turns = the_turns.Get();
  turns.exiting.store(true);
  const Time until = Clock::now() + std::chrono::seconds(1);
  while (turns.running.load() > OwnTurns() && Clock::now() < until) sched_yield();
}

bool Arm() {
  // OpenSSL registers its handler when it is first used, or never if told so then. Looked up, as
  // Predial does not link it; BoringSSL, which gRPC may have instead, has no such handler.
  using Init = int (*)(uint64_t, const void*);
  if (const auto init = reinterpret_cast<Init>(dlsym(RTLD_DEFAULT, "OPENSSL_init_crypto"))) {
    constexpr uint64_t kLoadCryptoStrings = 0x2;
    constexpr uint64_t kNoAtExit = 0x80000;
    init(kLoadCryptoStrings | kNoAtExit, nullptr);
  }
  // If it has one, it was registered before ours, and so runs after it.
  std::atexit(BeforeExit);
  return true;
}

}  // namespace

void ArmExitGuard() {
  static const bool armed = Arm();
  (void)armed;
}

ExitTurn::ExitTurn() {
  Turns& turns = the_turns.Get();
  turns.running.fetch_add(1);
  ++OwnTurns();
  allowed_ = !turns.exiting.load();
}

ExitTurn::~ExitTurn() {
  --OwnTurns();
  the_turns.Get().running.fetch_sub(1);
}

}  // namespace predial
