// ScriptedStream: one RPC of a ScriptedConnection: what is left to do for it, and how far its
// messages have come.
//
// Threads: the server's loop only.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "absl/strings/string_view.h"
#include "plugin/testing/script.h"

namespace predial {

struct ScriptedStream {
  uint32_t id = 0;
  size_t request = 0;  // its index in ServerRecord::requests
  Reply reply;
  std::deque<Step> steps;     // still to be done
  bool headers_sent = false;  // so trailers are not "Trailers-Only"
  bool answered = false;      // by trailers or a reset: the server says no more
  std::string unsent;         // the rest of a message that waits for the windows
  int64_t send_window = 0;
  std::string received;  // the beginning of a message
  std::string echo;      // the last message, with its prefix of five bytes

  void Add(const Steps& more) { steps.insert(steps.end(), more.begin(), more.end()); }
  // Takes a whole message, without its prefix, from what has come. False if there is none.
  bool TakeMessage(std::string& message);
};

// gRPC's prefix of an uncompressed message, and the message.
std::string EncodeMessage(absl::string_view message);

// The trailers of an RPC; `only`: with what a response's headers have.
HeaderList TrailersOf(const Step& step, bool only);
HeaderList HeadersOf(const Step& step);

}  // namespace predial
