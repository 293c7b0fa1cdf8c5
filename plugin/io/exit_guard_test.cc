#include "plugin/io/exit_guard.h"

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>

#include "gtest/gtest.h"

namespace predial {
namespace {

std::atomic<bool> freed{false};
std::atomic<int> turns{0};

// In the child: another thread takes turns without a pause while this one exits. Code 3 if a turn
// saw what an exit handler did that was registered first, as OpenSSL's would be.
void ExitAmidTurns() {
  std::atexit([] { freed = true; });
  ArmExitGuard();
  std::thread([] {
    for (;;) {
      const ExitTurn turn;
      if (!turn.allowed()) return;
      ++turns;
      for (int i = 0; i < 1000; ++i) {
        if (freed) _exit(3);
      }
    }
  }).detach();
  while (turns < 1000) std::this_thread::yield();
  std::exit(0);
}

TEST(ExitGuardDeathTest, TurnsAreOverBeforeExitHandlersRun) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (int i = 0; i < 10; ++i) EXPECT_EXIT(ExitAmidTurns(), ::testing::ExitedWithCode(0), "");
}

// exit() from within one, as by a user's callback on a thread of ours.
void ExitInATurn() {
  ArmExitGuard();
  const ExitTurn outer;
  const ExitTurn inner;
  std::exit(4);
}

TEST(ExitGuardDeathTest, AThreadDoesNotWaitForItself) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(ExitInATurn(), ::testing::ExitedWithCode(4), "");
}

// Null where there is none: gRPC then has BoringSSL.
void* LoadOpenssl() { return dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL); }

// Code 5 if OpenSSL frees its tables at exit.
void ExitAfterUseOfOpenssl(bool arm_first) {
  void* const library = LoadOpenssl();
  if (arm_first) ArmExitGuard();
  using Init = int (*)(uint64_t, const void*);
  reinterpret_cast<Init>(dlsym(library, "OPENSSL_init_crypto"))(0x2, nullptr);
  using Handler = void (*)();
  using AtExit = int (*)(Handler);
  reinterpret_cast<AtExit>(dlsym(library, "OPENSSL_atexit"))([] { _exit(5); });
  std::exit(0);
}

TEST(ExitGuardDeathTest, OpensslKeepsItsTables) {
  if (LoadOpenssl() == nullptr) GTEST_SKIP() << "no OpenSSL 3 here";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(ExitAfterUseOfOpenssl(false), ::testing::ExitedWithCode(5), "");
  EXPECT_EXIT(ExitAfterUseOfOpenssl(true), ::testing::ExitedWithCode(0), "");
}

TEST(ExitGuardTest, TurnsAreAllowedBeforeThat) {
  ArmExitGuard();
  const ExitTurn turn;
  EXPECT_TRUE(turn.allowed());
}

}  // namespace
}  // namespace predial
