// Step, Reply and ConnectionScript: what a ScriptedServer does, as values. A reply is a list of
// steps for one RPC, a greeting one for a connection.
//
//   Reply{}                                              never answers
//   Reply::Answer()                                      the last message, echoed, and OK
//   Reply::Fail(14, "busy")                              UNAVAILABLE, before any headers
//   Reply::AtEnd({Step::Headers(), Step::Reset(Http2Error::kInternalError)})
//
// Nothing is checked: steps that break HTTP/2's rules are sent as they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "plugin/testing/hpack.h"
#include "plugin/testing/http2_frame.h"

namespace predial {

// The last stream that a GOAWAY lets through: a stream's id, or one of the three below, which are
// not among the ids. A graceful GOAWAY says kAllStreams first.
inline constexpr uint32_t kAllStreams = 0x7fffffff;
inline constexpr uint32_t kNewestStream = 0xffffffff;      // that the connection has seen
inline constexpr uint32_t kThisStream = 0xfffffffe;        // that the step belongs to
inline constexpr uint32_t kBeforeThisStream = 0xfffffffd;  // this stream's id less two

struct Step {
  enum class Kind {
    kHeaders,
    kMessage,
    kEcho,
    kTrailers,
    kEndStream,
    kReset,
    kFrame,
    kGoAway,
    kSettings,
    kPing,
    kPingAck,
    kGate,
    kBytes,
    kHalfClose,
    kClose,
    kAbort,
  };
  Kind kind;
  uint32_t number = 0;  // status code, error code, last stream or gate
  Http2Error error = Http2Error::kNoError;
  std::string bytes = {};
  HeaderList metadata = {};
  Http2Settings settings = {};
  Http2FrameType frame = Http2FrameType::kData;
  uint8_t flags = 0;

  // For an RPC, in a reply.
  static Step Headers(HeaderList metadata = {});
  static Step Message(absl::string_view bytes);  // of gRPC: serialized, without the prefix
  static Step Echo();  // the last message that came, with the client's compression flag
  // After no Headers() these are "Trailers-Only". `code` is a grpc::StatusCode.
  static Step Trailers(int code = 0, absl::string_view message = "", HeaderList metadata = {});
  static Step EndStream();  // without trailers
  static Step Reset(Http2Error error);
  // Any frame, of a type and with flags that nobody knows as well, on the RPC's stream; among a
  // connection's steps on stream 0. It counts against no window. END_STREAM ends the answer.
  static Step Frame(Http2FrameType type, uint8_t flags, absl::string_view payload);

  // For a connection; may stand in a reply as well.
  static Step GoAway(uint32_t last_stream, Http2Error error = Http2Error::kNoError,
                     absl::string_view debug = "");
  static Step Settings(Http2Settings settings = {});
  static Step Ping();
  static Step AwaitPingAck();            // of all pings so far
  static Step AwaitGate(int gate);       // until ScriptedServer::OpenGate(), before or after
  static Step Bytes(absl::string_view);  // as they are
  static Step HalfClose();               // FIN: the server sends no more, and still reads
  static Step Close();                   // a RST as well, if bytes were not read
  static Step Abort();                   // RST, no FIN
};
using Steps = std::vector<Step>;

// What an RPC gets. The steps run when the event comes, after those of earlier events.
struct Reply {
  Steps on_headers;
  Steps on_message;  // each
  Steps on_end;      // the client has said all

  static Reply AtHeaders(Steps steps) { return {std::move(steps), {}, {}}; }
  static Reply AtEnd(Steps steps) { return {{}, {}, std::move(steps)}; }
  static Reply Answer() { return AtEnd({Step::Headers(), Step::Echo(), Step::Trailers()}); }
  static Reply Fail(int code, absl::string_view message) {
    return AtEnd({Step::Trailers(code, message)});
  }
};

// GOAWAY in two phases, as gRPC's servers do it: all streams first; once a ping is answered, those
// that have come by then.
Steps GracefulGoAway(absl::string_view debug = "");

struct ConnectionScript {
  // Before anything is read.
  Steps greeting = {Step::Settings()};
  // Whether SETTINGS and PING get their acknowledgements.
  bool acknowledges = true;
  // Whether what has come is given back to the windows, so that more may come. What comes without
  // this is the windows' first 65535 bytes.
  bool grants_window = true;
  // Off: what the client sends stays in the kernel's buffers.
  bool reads = true;
  // 0: as much as the socket takes. 1: each byte by itself, in a packet of its own.
  int bytes_per_write = 0;
};

}  // namespace predial
