#include "interop_tests/cases/test_client.h"

namespace predial {

const char* NameOf(Api api) {
  switch (api) {
    case Api::kSync:
      return "sync";
    case Api::kAsync:
      return "async";
    case Api::kCallback:
      break;
  }
  return "callback";
}

std::unique_ptr<TestClient> MakeTestClient(Api api,
                                           const std::shared_ptr<grpc::ChannelInterface>& channel) {
  switch (api) {
    case Api::kSync:
      return MakeSyncTestClient(channel);
    case Api::kAsync:
      return MakeAsyncTestClient(channel);
    case Api::kCallback:
      break;
  }
  return MakeCallbackTestClient(channel);
}

}  // namespace predial
