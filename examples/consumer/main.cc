// A user's client: main TARGET asks the server at TARGET (ipv4:127.0.0.1:50051,
// dns:///orders:50051, …) for its health and for one order. What it takes to use Predial is the one
// line that makes the channel; the stubs are the ordinary ones.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <iostream>
#include <memory>

#include "grpc/health/v1/health.grpc.pb.h"
#include "orders.grpc.pb.h"
#include "plugin/pooled_channel.h"

namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
}

int Fail(const char* what, const grpc::Status& status) {
  std::cerr << what << ": " << status.error_code() << " " << status.error_message() << "\n";
  return 1;
}

int Run(const char* target) {
  auto channel = predial::PooledChannel::Create(target, grpc::InsecureChannelCredentials());

  grpc::ClientContext health_context;
  SetDeadline(health_context);
  HealthCheckResponse health;
  grpc::Status status =
      Health::NewStub(channel)->Check(&health_context, HealthCheckRequest(), &health);
  if (!status.ok()) return Fail("Health.Check", status);
  std::cout << HealthCheckResponse::ServingStatus_Name(health.status()) << "\n";

  grpc::ClientContext order_context;
  SetDeadline(order_context);
  consumer::v1::GetRequest request;
  request.set_id(42);
  consumer::v1::Order order;
  status = consumer::v1::Orders::NewStub(channel)->Get(&order_context, request, &order);
  if (!status.ok()) return Fail("Orders.Get", status);
  std::cout << "order " << order.id() << ": " << order.item() << "\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: main TARGET\n";
    return 2;
  }
  return Run(argv[1]);
}
