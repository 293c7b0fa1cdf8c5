// That ParseTarget() and Address::ToGrpcTarget() agree with gRPC itself, asked through a server
// that answers every RPC with the :authority it saw.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "plugin/io/address.h"
#include "plugin/io/io_test_util.h"
#include "plugin/io/target.h"

namespace predial {
namespace {

constexpr char kTrailer[] = "seen-authority";

class AuthorityService : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    const grpc::string_ref authority = context->ExperimentalGetAuthority();
    context->AddTrailingMetadata(kTrailer, std::string(authority.data(), authority.size()));
    class Reactor : public grpc::ServerGenericBidiReactor {
     public:
      Reactor() { Finish(grpc::Status::OK); }
      void OnDone() override { delete this; }
    };
    return new Reactor();
  }
};

class AuthorityTest : public ::testing::Test {
 protected:
  AuthorityTest() {
    char path[] = "/tmp/predial-test-XXXXXX";
    EXPECT_NE(mkdtemp(path), nullptr);
    directory_ = path;
    EXPECT_EQ(chdir(path), 0);  // for relative paths
    has_ipv6_ = BindSocket("[::1]:0").valid();

    grpc::ServerBuilder builder;
    const auto credentials = grpc::InsecureServerCredentials();
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    if (has_ipv6_) builder.AddListeningPort("[::1]:0", credentials, &port6_);
    builder.AddListeningPort("unix:" + directory_ + "/s", credentials);
    builder.AddListeningPort("unix:" + directory_ + "/a%20b%3fc%23d%25e", credentials);
    // The directory's name is unique, and so is this.
    abstract_ = directory_.substr(directory_.rfind('/') + 1);
    builder.AddListeningPort("unix-abstract:" + abstract_, credentials);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
  }
  ~AuthorityTest() override {
    server_->Shutdown();
    EXPECT_EQ(chdir("/"), 0);
    unlink((directory_ + "/s").c_str());
    unlink((directory_ + "/a b?c#d%e").c_str());
    rmdir(directory_.c_str());
  }

  // The :authority of an RPC over an ordinary channel to `target`.
  static absl::StatusOr<std::string> SeenByServer(const std::string& target) {
    const auto channel = grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
    grpc::GenericStub stub(channel);
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + kTestPatience);
    const grpc::Slice nothing;
    const grpc::ByteBuffer request(&nothing, 1);
    grpc::ByteBuffer response;
    grpc::CompletionQueue queue;
    grpc::Status status;
    const auto call = stub.PrepareUnaryCall(&context, "/any.Service/Method", request, &queue);
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
    const auto& trailers = context.GetServerTrailingMetadata();
    const auto found = trailers.find(kTrailer);
    if (found == trailers.end()) return absl::UnavailableError(status.error_message());
    return std::string(found->second.data(), found->second.size());
  }

  std::string directory_;
  std::string abstract_;
  bool has_ipv6_ = false;
  int port_ = 0;
  int port6_ = 0;
  AuthorityService service_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(AuthorityTest, SameAsAnOrdinaryChannels) {
  const std::string port = std::to_string(port_);
  const std::string escaped_port = "%3" + port.substr(0, 1) + port.substr(1);
  std::vector<std::string> targets = {
      "dns:///127.0.0.1:" + port,
      "dns:127.0.0.1:" + port,
      "127.0.0.1:" + port,
      "localhost:" + port,
      "dns:///localhost:" + port,
      "dns:/LocalHost:" + port,
      "dns:///localhost:" + escaped_port,
      "ipv4:127.0.0.1:" + port,
      "ipv4:///127.0.0.1:" + port,
      "ipv4:127.0.0.1:" + port + ",127.0.0.2:" + port,
      "ipv4:,127.0.0.1:" + port + ",,",
      "unix:" + directory_ + "/s",
      "unix://" + directory_ + "/s",
      "unix:s",
      "unix:%73",
      "unix://" + directory_ + "/a%20b%3fc%23d%25e",
      "unix:" + directory_ + "/missing," + directory_ + "/s",
      "unix-abstract:" + abstract_,
  };
  if (has_ipv6_) {
    const std::string port6 = std::to_string(port6_);
    for (const char* form : {"ipv6:[::1]:", "ipv6:%5B::1%5d:", "ipv6:[::1%25lo]:", "[::1]:",
                             "dns:[::1]:", "dns:///[::1]:", "dns:///%5b::1%5D:"}) {
      targets.push_back(form + port6);
    }
    targets.push_back("ipv6:[::1]:" + port6 + ",[::1]:" + port6);
  }
  for (const std::string& text : targets) {
    SCOPED_TRACE(text);
    const auto target = ParseTarget(text);
    ASSERT_TRUE(target.ok()) << target.status();
    const auto seen = SeenByServer(text);
    ASSERT_TRUE(seen.ok()) << seen.status();
    EXPECT_EQ(target->authority, *seen);
    // The way of an anchor: each address by itself.
    for (const std::string& literal : target->addresses) {
      if (literal.find("missing") != std::string::npos || literal.rfind("127.0.0.2:", 0) == 0) {
        continue;  // nobody listens there
      }
      const auto address = Address::Parse(literal);
      ASSERT_TRUE(address.ok()) << address.status();
      EXPECT_TRUE(SeenByServer(address->ToGrpcTarget()).ok()) << address->ToGrpcTarget();
    }
  }
}

}  // namespace
}  // namespace predial
