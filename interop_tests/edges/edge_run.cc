#include "interop_tests/edges/edge_run.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "interop_tests/edges/edge_calls.h"
#include "plugin/pooled_channel.h"
#include "plugin/stats.h"
#include "plugin/testing/http2_frame.h"
#include "plugin/testing/scripted_server.h"
#include "plugin/testing/server_record.h"
#include "proto/echo.grpc.pb.h"

namespace predial {
namespace {

constexpr char kBidiStream[] = "/predial.echo.v1.Echo/BidiStream";
// RPCs that have to succeed once one has, one after another.
constexpr int kRpcsAfter = 20;
// How long that one may take: two dials and a wait.
constexpr std::chrono::seconds kRecovery{5};
constexpr std::chrono::seconds kPatience{30};

std::shared_ptr<grpc::Channel> CreateOrdinary(const std::string& target,
                                              grpc::ChannelArguments args) {
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), args);
}

std::shared_ptr<PooledChannel> CreatePool(const std::string& target,
                                          const grpc::ChannelArguments& args) {
  PoolOptions options;
  options.connections_min = 1;
  options.backoff.initial = options.backoff.under_demand = absl::Milliseconds(50);
  options.backoff.max = absl::Milliseconds(100);
  return PooledChannel::Create(target, grpc::InsecureChannelCredentials(), args, options);
}

bool WaitForMember(const PooledChannel& pool) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < until) {
    const PoolStats stats = pool.Stats();
    for (const EndpointStats& endpoint : stats.endpoints) {
      if (endpoint.ready > 0) return true;
    }
    std::this_thread::yield();
  }
  return false;
}

void ScriptReplies(const Edge& edge, ScriptedServer& server) {
  const Steps answer = {Step::Headers(), Step::Echo(), Step::Trailers()};
  switch (edge.call) {
    case EdgeCall::kBesideStreams:
    case EdgeCall::kAfterStreams:
    case EdgeCall::kTwoUntilLimitRises:
      // The unary RPCs are answered as any.
      server.ReplyTo(kBidiStream, {{Step::Headers()}, {Step::Echo()}, {Step::Trailers()}});
      return;
    case EdgeCall::kBidiStream:
      server.OtherwiseReply({{}, answer, {}});  // should it come again
      break;
    default:
      break;
  }
  if (edge.for_all) return server.OtherwiseReply(edge.reply);
  server.ThenReply(edge.reply);
}

int CountSeen(ScriptedServer& server) {
  int seen = 0;
  for (const RecordedRequest& request : server.Record().requests) {
    if (!request.header(kEdgeKey).empty()) ++seen;
  }
  return seen;
}

// What the client did that it must not; empty: nothing.
std::string ClientError(ScriptedServer& server) {
  for (const RecordedConnection& connection : server.Record().connections) {
    if (!connection.error.empty()) return connection.error;
    const auto push = connection.settings.find(kSettingEnablePush);
    if (!connection.settings.empty() && (push == connection.settings.end() || push->second != 0)) {
      return "the client does not refuse server push";
    }
  }
  return "";
}

// Opens kASecondLater when it is time, unless it is gone by then.
class GateTimer {
 public:
  explicit GateTimer(ScriptedServer& server)
      : thread_([&server, gone = gone_.get_future()] {
          if (gone.wait_for(std::chrono::seconds(1)) == std::future_status::timeout) {
            server.OpenGate(kASecondLater);
          }
        }) {}
  ~GateTimer() {
    gone_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> gone_;
  std::thread thread_;
};

// Whether all is well again, soon and for long. An RPC that starts just as the connection breaks is
// lost on either channel.
std::string TryMore(echo::v1::Echo::Stub& stub) {
  const auto until = std::chrono::steady_clock::now() + kRecovery;
  grpc::Status status = CallOther(stub);
  while (!status.ok() && std::chrono::steady_clock::now() < until) {
    status = CallOther(stub);
  }
  if (status.ok() && std::chrono::steady_clock::now() > until) return "it takes long to recover";
  for (int i = 0; i < kRpcsAfter && status.ok(); ++i) status = CallOther(stub);
  if (status.ok()) return "";
  return absl::StrCat("an RPC after it: ", NameOf(status.error_code()), " ",
                      status.error_message());
}

}  // namespace

EdgeRun RunEdge(const Edge& edge, EdgeChannel kind) {
  ScriptedServer::Options options;
  options.connection = edge.connection;
  ScriptedServer server(options);
  std::optional<GateTimer> timer;
  if (edge.late_connection) timer.emplace(server);

  EdgeRun run{};
  grpc::ChannelArguments args;
  if (edge.metadata_bytes_max > 0) args.SetInt(GRPC_ARG_MAX_METADATA_SIZE, edge.metadata_bytes_max);
  std::shared_ptr<grpc::ChannelInterface> channel;
  if (kind == EdgeChannel::kOrdinary) {
    channel = CreateOrdinary(server.target(), args);
  } else {
    auto pool = CreatePool(server.target(), args);
    if (!edge.late_connection && !WaitForMember(*pool)) run.trouble = "no member is ready";
    channel = std::move(pool);
  }
  const auto stub = echo::v1::Echo::NewStub(channel);
  if (edge.warm) {
    const grpc::Status first = CallOther(*stub);
    if (!first.ok()) run.trouble = absl::StrCat("the RPC before it: ", first.error_message());
  }

  ScriptReplies(edge, server);
  const EdgeResult result = CallEdge(edge, *stub, server);
  if (!result.trouble.empty()) run.trouble = result.trouble;
  run.message = result.status.error_message();
  run.outcome.code = result.status.error_code();
  run.outcome.messages = result.messages;
  run.outcome.seen = CountSeen(server);
  const std::string after = TryMore(*stub);
  run.outcome.next = after.empty();
  if (run.trouble.empty()) run.trouble = after;
  if (run.trouble.empty()) run.trouble = ClientError(server);
  return run;
}

}  // namespace predial
