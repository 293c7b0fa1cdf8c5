// ScriptedServer: an HTTP/2 server for gRPC clients (plaintext, prior knowledge) that does what a
// test tells it to, well-behaved or not, and records all that it got.
//
//   ScriptedServer server;
//   server.ThenReply(Reply::AtEnd({Step::GoAway(kBeforeThisStream)}));  // "I did not see it"
//   … one RPC through a client to server.target() …
//   EXPECT_EQ(server.Record().RequestsTo("/orders.Orders/Get").size(), 2);  // it was sent again
//
// At first it answers every RPC by Reply::Answer(), which suits all unary methods whose request can
// be read as a response, and says UNIMPLEMENTED to the health service, as servers without one do.
//
// Threads:   thread-safe; it runs on a loop, and so a thread, of its own. The functions return when
//            what they say has taken effect: whatever comes to the server later finds it so.
// Errors:    aborts if it cannot listen, and on an index that is not there.
// Limits:    DATA that the client sends is kept, all of it; frames of up to 16 MiB.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "plugin/io/epoll_loop.h"
#include "plugin/io/unique_fd.h"
#include "plugin/testing/script.h"
#include "plugin/testing/scripted_connection.h"
#include "plugin/testing/server_record.h"

namespace predial {

class ScriptedServer {
 public:
  struct Options {
    // "127.0.0.1:0", "[::1]:0", "unix:/path"; port 0 is any free one.
    std::string address = "127.0.0.1:0";
    // listen(2)'s: how many connections the kernel makes while the server accepts none, less one.
    int backlog = 128;
    // Of the connections that nothing was scripted for.
    ConnectionScript connection;
  };

  ScriptedServer() : ScriptedServer(Options()) {}
  explicit ScriptedServer(Options options);
  // Closes the listener and all connections.
  ~ScriptedServer();

  // "127.0.0.1:41167".
  const std::string& address() const { return address_; }
  // For grpc::CreateChannel and PooledChannel::Create: "ipv4:127.0.0.1:41167".
  const std::string& target() const { return target_; }

  // What the next RPC gets that nothing was scripted for yet; what all get beyond that. RPCs of the
  // health service, and those that ReplyTo() is about, do not count.
  void ThenReply(Reply reply);
  void OtherwiseReply(Reply reply);
  // What all RPCs to `path` get, from now on. "/grpc.health.v1.Health/Watch", for instance.
  void ReplyTo(absl::string_view path, Reply reply);

  // The same for connections.
  void ThenConnection(ConnectionScript script);
  void OtherwiseConnection(ConnectionScript script);

  // Lets all steps pass that wait for this gate, now and later.
  void OpenGate(int gate);
  // Does it now, on one connection (0, 1, … in the order in which they were accepted), or on all
  // that are open.
  void Do(int connection, Steps steps);
  void DoOnAll(const Steps& steps);

  // False: connections are made by the kernel, as far as the backlog goes, and wait. True at first.
  void SetAccepting(bool accepting);
  // As when it has crashed: whoever connects now is refused. Open connections stay.
  void StopListening();
  // Serves `socket`, a connected stream socket, as if it had been accepted: the server's end of a
  // FakeDialer's connection, for instance.
  void Adopt(UniqueFd socket);

  ServerRecord Record() { return record_.Read(); }
  // Until `condition` holds of the record. False if that takes more than 30 s.
  bool WaitFor(const std::function<bool(const ServerRecord&)>& condition) {
    return record_.WaitFor(condition);
  }
  // Until that many requests to `path` have begun.
  bool WaitForRequests(absl::string_view path, size_t count);

 private:
  // Runs it on the loop's thread, and waits for its end.
  void Run(std::function<void()> work);
  void UpdateListening();
  void OnAcceptable();
  void Serve(UniqueFd socket);
  Reply NextReply(absl::string_view path);

  UniqueFd listener_;
  std::string address_;
  std::string target_;
  RecordKeeper record_;

  // Of the loop's thread.
  bool accepting_ = true;
  EventLoop::WatchId listening_ = EventLoop::WatchId::kNone;
  std::deque<Reply> then_reply_;
  Reply otherwise_reply_ = Reply::Answer();
  std::map<std::string, Reply> replies_;
  std::deque<ConnectionScript> then_connection_;
  ConnectionScript otherwise_connection_;
  std::set<int> open_gates_;
  ScriptedConnection::Server answers_;
  std::vector<std::unique_ptr<ScriptedConnection>> connections_;

  EpollLoop loop_;  // last: it uses all of the above
};

}  // namespace predial
