#include "interop_tests/peers/compressed_flag.h"

#include <grpc/impl/codegen/grpc_types.h>

#include <cstdint>

// gRPC's library exports it, for tests like these, and declares it in a header that is not
// installed.
uint32_t grpc_call_test_only_get_message_flags(grpc_call* call);

namespace predial {
namespace {

// Bits of a message's flags, from a header that is not installed either: the message is compressed;
// it was, before gRPC decompressed it.
constexpr uint32_t kIsCompressed = 0x80000000;
constexpr uint32_t kWasCompressed = 0x40000000;

bool CameCompressed(grpc_call* call) {
  return (grpc_call_test_only_get_message_flags(call) & (kIsCompressed | kWasCompressed)) != 0;
}

}  // namespace

bool CameCompressed(grpc::ClientContext& context) { return CameCompressed(context.c_call()); }

bool CameCompressed(grpc::ServerContextBase& context) { return CameCompressed(context.c_call()); }

}  // namespace predial
