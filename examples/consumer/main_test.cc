// main, as a process of its own, against a real server: that it starts at all shows that Predial
// and a user's own grpc.health.v1 can be linked into one program.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/wait.h>

#include <memory>
#include <string>

#include "grpc/health/v1/health.grpc.pb.h"
#include "orders.grpc.pb.h"

namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

std::string main_path;

class OrdersService final : public consumer::v1::Orders::Service {
  grpc::Status Get(grpc::ServerContext*, const consumer::v1::GetRequest* request,
                   consumer::v1::Order* order) override {
    order->set_id(request->id());
    order->set_item("a towel");
    return grpc::Status::OK;
  }
};

// Check() only: a client that asks for Watch() is told that there is none.
class HealthService final : public Health::Service {
  grpc::Status Check(grpc::ServerContext*, const HealthCheckRequest*,
                     HealthCheckResponse* response) override {
    response->set_status(HealthCheckResponse::SERVING);
    return grpc::Status::OK;
  }
};

struct Output {
  int exit_code;
  std::string text;  // of stdout
};

Output RunMain(const std::string& arguments) {
  Output output = {-1, ""};
  FILE* pipe = popen((main_path + " " + arguments).c_str(), "r");
  if (pipe == nullptr) return output;
  char buffer[256];
  while (fgets(buffer, sizeof(buffer), pipe) != nullptr) output.text += buffer;
  const int status = pclose(pipe);
  if (WIFEXITED(status)) output.exit_code = WEXITSTATUS(status);
  return output;
}

TEST(MainTest, AsksForHealthAndAnOrder) {
  OrdersService orders;
  HealthService health;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&orders);
  builder.RegisterService(&health);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);

  const Output output = RunMain("ipv4:127.0.0.1:" + std::to_string(port));
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_EQ(output.text, "SERVING\norder 42: a towel\n");
}

TEST(MainTest, SaysHowItIsUsed) {
  const Output output = RunMain("2>&1");
  EXPECT_EQ(output.exit_code, 2);
  EXPECT_EQ(output.text, "usage: main TARGET\n");
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) {
    fprintf(stderr, "usage: main_test PATH_OF_MAIN\n");
    return 2;
  }
  main_path = argv[1];
  return RUN_ALL_TESTS();
}
