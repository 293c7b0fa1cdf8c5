#include "plugin/io/grpc_poller.h"

#include <pthread.h>

namespace predial {

GrpcPoller::GrpcPoller() : thread_(&GrpcPoller::Run, this) {}

GrpcPoller::~GrpcPoller() {
  queue_.Shutdown();
  thread_.join();
}

void GrpcPoller::Run() {
  pthread_setname_np(pthread_self(), "predial-grpc");
  void* tag;
  bool ok;
  while (queue_.Next(&tag, &ok)) static_cast<Tag*>(tag)->OnCompleted(ok);
}

}  // namespace predial
