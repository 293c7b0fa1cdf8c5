// ScriptedConnection: one connection of a ScriptedServer. Reads HTTP/2 as it should be read, and
// answers as its script says.
//
// Threads:   the loop's only.
// Ownership: owns the socket.
// Errors:    what a client does against HTTP/2's rules is recorded, and closes the connection.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "plugin/io/event_loop.h"
#include "plugin/io/unique_fd.h"
#include "plugin/testing/hpack.h"
#include "plugin/testing/http2_frame.h"
#include "plugin/testing/script.h"
#include "plugin/testing/scripted_stream.h"
#include "plugin/testing/server_record.h"

namespace predial {

class ScriptedConnection {
 public:
  // What it asks its server.
  struct Server {
    absl::AnyInvocable<Reply(absl::string_view path)> next_reply;
    absl::AnyInvocable<bool(int gate)> gate_is_open;
  };

  // `server` and `record` must outlive it. `index` is its place in the record.
  ScriptedConnection(EventLoop& loop, UniqueFd socket, int index, ConnectionScript script,
                     Server& server, RecordKeeper& record);
  ~ScriptedConnection();
  ScriptedConnection(const ScriptedConnection&) = delete;
  ScriptedConnection& operator=(const ScriptedConnection&) = delete;

  // After what is being done for the connection (not for its RPCs). Nothing if it is closed.
  void Do(const Steps& steps);
  // Goes on with whatever waited for a gate.
  void Continue();

 private:
  enum class Progress { kDone, kBlocked };

  void OnEvents(uint32_t events);
  void ReadSome();
  void ParseFrames();
  void OnFrame(const Http2Frame& frame);
  void OnHeaderBlock();
  void OnData(const Http2Frame& frame);
  void OnSettings(const Http2Frame& frame);
  void OnPing(const Http2Frame& frame);
  void OnWindowUpdate(const Http2Frame& frame);
  void OnReset(const Http2Frame& frame);

  void RunSteps();
  // Whether anything was done. `stream` is null for the connection's own steps.
  bool RunSome(std::deque<Step>& steps, ScriptedStream* stream);
  Progress Run(const Step& step, ScriptedStream* stream);
  Progress RunOnStream(const Step& step, ScriptedStream& stream);
  Progress RunOnSocket(const Step& step);
  Progress SendMessage(const std::string& message, ScriptedStream& stream);
  uint32_t LastStream(uint32_t said, const ScriptedStream* stream) const;
  void SendHeaders(const ScriptedStream& stream, const HeaderList& headers, bool end);

  void Flush();
  void UpdateWatch();
  void Close();
  void Fail(absl::string_view what);
  void Note(const std::function<void(RecordedConnection&)>& change);

  EventLoop& loop_;
  UniqueFd socket_;
  const int index_;
  const ConnectionScript script_;
  Server& server_;
  RecordKeeper& record_;

  EventLoop::WatchId watch_ = EventLoop::WatchId::kNone;
  uint32_t watched_ = 0;
  bool reading_;  // false once the client has closed its side

  Http2FrameReader reader_;
  bool preface_ = false;
  HpackDecoder decoder_;
  Http2Frame headers_;  // HEADERS, with its CONTINUATIONs so far; stream 0 if none is under way
  std::map<uint32_t, ScriptedStream> streams_;
  uint32_t newest_stream_ = 0;
  int64_t send_window_ = 65535;
  int64_t initial_window_ = 65535;
  int pings_ = 0;
  int ping_acks_ = 0;

  std::deque<Step> steps_;              // the connection's own
  uint32_t last_stream_ = kAllStreams;  // of the GOAWAYs so far, the lowest
  std::string out_;
};

}  // namespace predial
