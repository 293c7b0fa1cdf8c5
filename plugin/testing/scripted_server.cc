#include "plugin/testing/scripted_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <utility>

#include "absl/strings/match.h"
#include "plugin/io/address.h"

namespace predial {
namespace {

constexpr absl::string_view kHealthService = "/grpc.health.v1.Health/";
constexpr int kUnimplemented = 12;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "ScriptedServer: %s\n", what.c_str());
  std::abort();
}

UniqueFd Listen(const std::string& text, int backlog) {
  const auto address = Address::Parse(text);
  if (!address.ok()) Die(address.status().ToString());
  UniqueFd fd(socket(address->family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid() || bind(fd.get(), address->sockaddr_ptr(), address->size()) != 0 ||
      listen(fd.get(), backlog) != 0) {
    Die(text + ": " + std::strerror(errno));
  }
  return fd;
}

Address LocalAddress(int fd) {
  sockaddr_storage storage;
  socklen_t size = sizeof(storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    Die(std::strerror(errno));
  }
  return Address(reinterpret_cast<sockaddr*>(&storage), size);
}

}  // namespace

ScriptedServer::ScriptedServer(Options options)
    : listener_(Listen(options.address, options.backlog)),
      address_(LocalAddress(listener_.get()).ToString()),
      target_(LocalAddress(listener_.get()).ToGrpcTarget()),
      otherwise_connection_(std::move(options.connection)) {
  answers_.next_reply = [this](absl::string_view path) { return NextReply(path); };
  answers_.gate_is_open = [this](int gate) { return open_gates_.count(gate) > 0; };
  Run([this] { UpdateListening(); });
}

ScriptedServer::~ScriptedServer() {
  Run([this] {
    accepting_ = false;
    UpdateListening();
    connections_.clear();
  });
}

void ScriptedServer::ThenReply(Reply reply) {
  Run([&] { then_reply_.push_back(std::move(reply)); });
}

void ScriptedServer::OtherwiseReply(Reply reply) {
  Run([&] { otherwise_reply_ = std::move(reply); });
}

void ScriptedServer::ReplyTo(absl::string_view path, Reply reply) {
  Run([&] { replies_[std::string(path)] = std::move(reply); });
}

void ScriptedServer::ThenConnection(ConnectionScript script) {
  Run([&] { then_connection_.push_back(std::move(script)); });
}

void ScriptedServer::OtherwiseConnection(ConnectionScript script) {
  Run([&] { otherwise_connection_ = std::move(script); });
}

void ScriptedServer::OpenGate(int gate) {
  Run([&] {
    open_gates_.insert(gate);
    for (const auto& connection : connections_) connection->Continue();
  });
}

void ScriptedServer::Do(int connection, Steps steps) {
  Run([&] {
    if (connection < 0 || connection >= static_cast<int>(connections_.size())) {
      Die("no such connection");
    }
    connections_[connection]->Do(steps);
  });
}

void ScriptedServer::DoOnAll(const Steps& steps) {
  Run([&] {
    for (const auto& connection : connections_) connection->Do(steps);
  });
}

void ScriptedServer::SetAccepting(bool accepting) {
  Run([&] {
    accepting_ = accepting;
    UpdateListening();
  });
}

void ScriptedServer::StopListening() {
  Run([&] {
    accepting_ = false;
    UpdateListening();
    listener_.Reset();
  });
}

void ScriptedServer::Adopt(UniqueFd socket) {
  Run([&] { Serve(std::move(socket)); });
}

bool ScriptedServer::WaitForRequests(absl::string_view path, size_t count) {
  return WaitFor(
      [&](const ServerRecord& record) { return record.RequestsTo(path).size() >= count; });
}

void ScriptedServer::Run(std::function<void()> work) {
  const auto done = std::make_shared<std::promise<void>>();
  loop_.Post([&work, done] {
    work();
    done->set_value();
  });
  done->get_future().wait();
}

void ScriptedServer::UpdateListening() {
  const bool listening = listening_ != EventLoop::WatchId::kNone;
  const bool wanted = accepting_ && listener_.valid();
  if (listening == wanted) return;
  if (!wanted) return loop_.Unwatch(std::exchange(listening_, EventLoop::WatchId::kNone));
  const auto watch =
      loop_.Watch(listener_.get(), EPOLLIN, [this](uint32_t /*events*/) { OnAcceptable(); });
  if (!watch.ok()) Die(watch.status().ToString());
  listening_ = *watch;
}

void ScriptedServer::OnAcceptable() {
  UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket.valid()) Serve(std::move(socket));
}

void ScriptedServer::Serve(UniqueFd socket) {
  ConnectionScript script = otherwise_connection_;
  if (!then_connection_.empty()) {
    script = std::move(then_connection_.front());
    then_connection_.pop_front();
  }
  const int index = static_cast<int>(connections_.size());
  record_.Update([](ServerRecord& record) { record.connections.emplace_back(); });
  connections_.push_back(std::make_unique<ScriptedConnection>(
      loop_, std::move(socket), index, std::move(script), answers_, record_));
}

Reply ScriptedServer::NextReply(absl::string_view path) {
  const auto found = replies_.find(std::string(path));
  if (found != replies_.end()) return found->second;
  if (absl::StartsWith(path, kHealthService)) {
    return Reply::Fail(kUnimplemented, "no health service");
  }
  if (then_reply_.empty()) return otherwise_reply_;
  Reply reply = std::move(then_reply_.front());
  then_reply_.pop_front();
  return reply;
}

}  // namespace predial
